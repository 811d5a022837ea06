/**
 * `npm run bench:modes`: which listen mode is better when. Steered and unsteered `reuseport` and `reuseaddr`, at several
 * numbers of workers, in one run, round by round.
 *
 * ROUNDS, SECONDS and WORKERS say how much; the table goes to docs/benchmarks.md unless NO_WRITE is set.
 */
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { CONTENDERS } from './support/contenders.js';
import { addErrors, errorText, markdownTable, median, percentile, writeSection } from './support/figures.js';
import { tail, throughput } from './support/scenarios.js';

const ROUNDS = Number(process.env.ROUNDS ?? 2);
const SECONDS = Number(process.env.SECONDS ?? 3);
const WORKERS = (process.env.WORKERS ?? '2,4,8,16').split(',').map(Number);
const MODES = { steered: 'holdfast-reuseport', unsteered: 'holdfast-unsteered', reuseaddr: 'holdfast-reuseaddr' };

/** New connections a second; one in twenty blocks its worker for 50 ms, or none does. */
const LOADS = {
  'light, 50/s': { rate: 50 },
  'light, 1,000/s': { rate: 1_000 },
  'blocking, 50/s': { rate: 50, blockMs: 50, blockEveryMs: 400 },
  'blocking, 200/s': { rate: 200, blockMs: 50, blockEveryMs: 100 },
};

const rows = [];
for (const workers of WORKERS) {
  const all = new Map();
  try {
    for (const [mode, name] of Object.entries(MODES)) all.set(mode, await CONTENDERS[name].start({ workers }));
    for (const [title, how] of Object.entries(LOADS)) rows.push(await underRate(all, workers, title, how));
    rows.push(await atFullSpeed(all, workers));
  } finally {
    for (const contender of all.values()) await contender.stop();
  }
}

const machine = `${os.cpus()[0]?.model.trim()}, ${os.cpus().length} cores, ${os.type()} ${os.release()}, Node ${process.version}`;
const table = markdownTable(rows);
console.log(`${machine}\n\n${table}`);
if (process.env.NO_WRITE === undefined) {
  const file = fileURLToPath(new URL('../docs/benchmarks.md', import.meta.url));
  writeSection(file, 'bench:modes', `${machine}; ${ROUNDS} rounds of ${SECONDS} s.\n\n${table}`);
}

/** p50 / p99 / p99.9 in ms, and how many times the mean the busiest worker accepted. */
async function underRate(all, workers, title, how) {
  const row = { workers, load: title };
  const found = new Map([...all.keys()].map((mode) => [mode, { latencies: [], byPid: {}, errors: {} }]));
  await inTurn(all, async (mode, contender) => {
    const { latencies, byPid, errors } = await tail(contender, { seconds: SECONDS, ...how });
    const sum = found.get(mode);
    sum.latencies.push(...latencies);
    addErrors(sum.byPid, byPid);
    addErrors(sum.errors, errors);
  });
  for (const [mode, { latencies, byPid, errors }] of found) {
    const at = (share) => percentile(latencies, share).toFixed(1);
    const counts = Object.values(byPid);
    const unevenness = (Math.max(...counts) * workers) / counts.reduce((sum, count) => sum + count, 0);
    const trouble = errorText(errors) === '0' ? '' : ` (${errorText(errors)})`;
    row[mode] = `${at(0.5)} / ${at(0.99)} / ${at(0.999)}, × ${unevenness.toFixed(1)}${trouble}`;
  }
  return row;
}

async function atFullSpeed(all, workers) {
  const row = { workers, load: '64 clients at full speed' };
  const rates = new Map([...all.keys()].map((mode) => [mode, []]));
  await inTurn(all, async (mode, contender) => {
    rates.get(mode).push((await throughput(contender, { seconds: SECONDS, connections: 64, kind: 'short' })).rate);
  });
  for (const [mode, found] of rates) row[mode] = `${Math.round(median(found))} requests/s`;
  return row;
}

async function inTurn(all, measure) {
  for (let round = 0; round < ROUNDS; round++) {
    const order = [...all.entries()];
    for (let i = 0; i < round % order.length; i++) order.push(order.shift());
    for (const [mode, contender] of order) await measure(mode, contender);
  }
}
