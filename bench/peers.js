/**
 * `npm run bench:peers`: holdfast and others before the same application, in one run, round by round.
 *
 * Figures of one run compare with each other and with nothing else. ROUNDS, SECONDS, ONLY (names of contenders) and
 * SCENARIOS say what is done; the table goes to docs/benchmarks.md unless NO_WRITE is set.
 */
import { CONTENDERS, takePart } from './support/contenders.js';
import { errorText, latencyText, median, sumOf } from './support/figures.js';
import { pause } from './support/launch.js';
import { rssBytes } from './support/processes.js';
import { machine, publish } from './support/report.js';
import { oneByOne, sideBySide } from './support/rounds.js';
import { kills, loss, reloads, tail, throughput } from './support/scenarios.js';

const ROUNDS = Number(process.env.ROUNDS ?? 3);
const SECONDS = Number(process.env.SECONDS ?? 2);
const EVERYBODY = ['bare', 'holdfast', 'holdfast-reuseaddr', 'round-robin', 'shared-handle', 'pm2', 'haproxy'];
const RELOADS = 5;
const KILLS = 5;
/** Each takes seconds however short the rounds are. */
const LOSS_ROUNDS = Math.min(ROUNDS, 2);
const SETTLE_MS = 2_000;
const MEASURES = {
  memory: measureMemory,
  throughput: measureThroughput,
  tail: measureTail,
  reload: measureReloads,
  kill: measureKills,
};

const { names, versions } = await takePart(process.env.ONLY?.split(',') ?? EVERYBODY);
const scenarios = process.env.SCENARIOS?.split(',') ?? Object.keys(MEASURES);
const rows = new Map(names.map((name) => [name, { '': CONTENDERS[name].title }]));
for (const scenario of scenarios) {
  if (MEASURES[scenario] === undefined) {
    throw new Error(`cannot measure ${scenario}: scenarios are ${Object.keys(MEASURES).join(', ')}`);
  }
  console.error(`measuring ${scenario}`);
  await MEASURES[scenario]();
}
publish('docs/benchmarks.md', 'bench:peers', `${machine(versions)}; ${ROUNDS} rounds of ${SECONDS} s.`, [
  [...rows.values()],
]);

/** The supervisor alone, with 2 workers, before it had anything to do. */
async function measureMemory() {
  const samples = await oneByOne(names, { workers: 2 }, { rounds: 1 }, async ({ primary }) => {
    await pause(SETTLE_MS);
    return primary === null ? '–' : Math.round(rssBytes(primary) / 1e6);
  });
  for (const [name, [mb]] of samples) rows.get(name)['supervisor, MB'] = mb;
}

/** 2 workers, 32 connections. */
async function measureThroughput() {
  const kinds = ['short', 'keep-alive'];
  const measures = kinds.map(
    (kind) => (contender) => throughput(contender, { seconds: SECONDS, connections: 32, kind }),
  );
  const found = await sideBySide(names, { workers: 2 }, { rounds: ROUNDS, warmUp: 1 }, measures);
  for (const [i, kind] of kinds.entries()) {
    for (const [name, samples] of found[i]) {
      const errors = samples.reduce((sum, sample) => sum + sample.errors, 0);
      const rate = Math.round(median(samples.map((sample) => sample.rate)));
      rows.get(name)[`${kind}: requests/s`] = errors === 0 ? rate : `${rate} (${errors} errors)`;
      rows.get(name)[`${kind}: µs CPU each`] = Math.round(median(samples.map((sample) => sample.cpuMicros)));
    }
  }
}

/** 4 workers, 400 new connections a second, and a request that blocks its worker for 200 ms every 400 ms. */
async function measureTail() {
  const how = { seconds: SECONDS * 2, rate: 400, blockMs: 200, blockEveryMs: 400 };
  const rounds = { rounds: ROUNDS, warmUp: 1 };
  const [found] = await sideBySide(names, { workers: 4 }, rounds, [(contender) => tail(contender, how)]);
  for (const [name, samples] of found) {
    rows.get(name)['tail: p50 / p99 / p99.9 / max, ms'] = latencyText(samples, [0.5, 0.99, 0.999, 1]);
  }
}

/** 2 workers that are busy 80 % of the time, under 16 clients that connect anew and 16 that POST over a kept connection. */
async function measureReloads() {
  const options = { workers: 2, env: { BUSY_MS: '5' } };
  const found = await oneByOne(names, options, { rounds: LOSS_ROUNDS }, (contender) =>
    loss(contender, { fresh: 16, kept: 16 }, () => reloads(contender, RELOADS)),
  );
  for (const [name, samples] of found) {
    const row = rows.get(name);
    row[`${LOSS_ROUNDS * RELOADS} reloads: errors, new connections`] = lossText(samples.map(({ fresh }) => fresh));
    row['errors, keep-alive POST'] = lossText(samples.map(({ kept }) => kept));
    row['a reload, ms'] = Math.round(median(samples.flatMap(({ result }) => result)));
  }
}

/** 4 busy workers: under 32 clients that connect anew; and with 200 new connections a second, with and without kills. */
async function measureKills() {
  const options = { workers: 4, env: { BUSY_MS: '1' } };
  const how = { seconds: KILLS, rate: 200 };
  const found = await oneByOne(names, options, { rounds: LOSS_ROUNDS }, async (contender) => {
    const calm = await tail(contender, how);
    const [killed] = await Promise.all([tail(contender, how), kills(contender, KILLS)]);
    return { ...(await loss(contender, { fresh: 32, kept: 0 }, () => kills(contender, KILLS))), calm, killed };
  });
  for (const [name, samples] of found) {
    rows.get(name)[`${LOSS_ROUNDS * KILLS} × kill -9: errors`] = lossText(samples.map(({ fresh }) => fresh));
    const [killed, calm] = ['killed', 'calm'].map((which) => samples.map((sample) => sample[which]));
    const waits = `${latencyText(killed, [1])} / ${latencyText(calm, [1])}`;
    rows.get(name)['longest wait, with kills / without, ms'] = waits;
  }
}

function lossText(samples) {
  const answered = samples.reduce((sum, sample) => sum + sample.answered, 0);
  return `${errorText(sumOf(samples.map((sample) => sample.errors)))} of ${answered}`;
}
