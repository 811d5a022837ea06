/**
 * `npm run bench:modes`: which listen mode is better when. Steered and unsteered `reuseport` and `reuseaddr`, at several
 * numbers of workers, in one run, round by round.
 *
 * ROUNDS, SECONDS and WORKERS say how much; the tables go to docs/benchmarks.md unless NO_WRITE is set.
 */
import { evenness, latencyText, median, sumOf } from './support/figures.js';
import { machine, publish } from './support/report.js';
import { oneByOne, sideBySide } from './support/rounds.js';
import { closedLoop, hold, tail } from './support/scenarios.js';

const ROUNDS = Number(process.env.ROUNDS ?? 2);
const SECONDS = Number(process.env.SECONDS ?? 3);
const WORKERS = (process.env.WORKERS ?? '2,4,8,16').split(',').map(Number).filter(Boolean);
const MODES = { 'holdfast-reuseport': 'steered', 'holdfast-unsteered': 'unsteered', 'holdfast-reuseaddr': 'reuseaddr' };
const HELD = { workers: 4, count: 400, more: 400, everyMs: 10 };

/** Where it blocks, one request in twenty does, for 50 ms. */
const LOADS = {
  'light, 50/s': (contender) => tail(contender, { seconds: SECONDS, rate: 50 }),
  'light, 1,000/s': (contender) => tail(contender, { seconds: SECONDS, rate: 1_000 }),
  'light, 64 clients': (contender) => closedLoop(contender, { seconds: SECONDS, clients: 64 }),
  'blocking, 50/s': (contender) => tail(contender, { seconds: SECONDS, rate: 50, blockMs: 50, blockEveryMs: 400 }),
  'blocking, 200/s': (contender) => tail(contender, { seconds: SECONDS, rate: 200, blockMs: 50, blockEveryMs: 100 }),
  'blocking, 64 clients': (contender) =>
    closedLoop(contender, { seconds: SECONDS, clients: 64, blockMs: 50, blockEvery: 20 }),
};

const names = Object.keys(MODES);
const rows = [];
for (const workers of WORKERS) {
  console.error(`measuring ${workers} workers`);
  const warmUp = (contender) => closedLoop(contender, { seconds: 1, clients: 64 });
  const measures = [warmUp, ...Object.values(LOADS)];
  const [, ...found] = await sideBySide(names, { workers }, { rounds: ROUNDS }, measures);
  for (const [i, load] of Object.keys(LOADS).entries()) rows.push(loadRow(workers, load, found[i]));
}
console.error('measuring connections that stay');
const tables = [rows, await heldRows()];
publish('docs/benchmarks.md', 'bench:modes', `${machine()}; ${ROUNDS} rounds of ${SECONDS} s.`, tables);

function loadRow(workers, load, found) {
  const row = { 'workers, load': `${workers}, ${load}` };
  for (const [name, samples] of found) {
    const { maxToMean, variation } = evenness(sumOf(samples.map(({ byPid }) => byPid)), workers);
    const latencies = latencyText(samples, [0.5, 0.99, 0.999]);
    const spread = `× ${maxToMean.toFixed(1)} (${variation.toFixed(2)})`;
    const rates = samples.map(({ rate }) => rate).filter((rate) => rate !== undefined);
    const rate = rates.length === 0 ? '' : `${Math.round(median(rates))}/s, `;
    row[MODES[name]] = `${rate}${latencies}, ${spread}`;
  }
  return row;
}

/** Connections that stay, through a reload. */
async function heldRows() {
  const { workers, ...how } = HELD;
  const found = await oneByOne(names, { workers }, { rounds: ROUNDS }, (contender) => hold(contender, how));
  const moments = {
    first: `${how.count} at first`,
    reloaded: 'after a reload',
    last: `after ${how.more} more`,
  };
  return Object.entries(moments).map(([moment, title]) => {
    const row = { [`connections that stay, ${workers} workers`]: title };
    for (const [name, samples] of found) {
      row[MODES[name]] = samples.map((sample) => spreadText(evenness(sample[moment].byPid, workers))).join('; ');
    }
    return row;
  });
}

function spreadText({ max, min }) {
  return `${max} / ${min}`;
}
