/**
 * `npm run bench:peers`: holdfast and others before the same application, in one run, round by round.
 *
 * Figures of one run compare with each other and with nothing else. ROUNDS, SECONDS, ONLY (names of contenders) and
 * SCENARIOS say what is done; the table goes to README.md unless NO_WRITE is set.
 */
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { CONTENDERS } from './support/contenders.js';
import { addErrors, errorText, markdownTable, median, percentile, writeSection } from './support/figures.js';
import { rssBytes } from './support/processes.js';
import { kills, loss, pause, reloads, tail, throughput } from './support/scenarios.js';

const ROUNDS = Number(process.env.ROUNDS ?? 3);
const SECONDS = Number(process.env.SECONDS ?? 3);
const ONLY = process.env.ONLY?.split(',') ?? [
  ...['bare', 'holdfast', 'holdfast-reuseaddr', 'round-robin', 'shared-handle', 'pm2', 'haproxy'],
];
const SCENARIOS = process.env.SCENARIOS?.split(',') ?? ['throughput', 'tail', 'loss', 'kill'];
const RELOADS = 5;
const KILLS = 5;
const [major, minor] = process.versions.node.split('.').map(Number);

const versions = [];
const names = ONLY.filter((name) => {
  if (name === 'bare' && (major < 22 || (major === 22 && minor < 12))) return skip(name, 'this Node has no reusePort');
  const { prepare } = CONTENDERS[name];
  if (prepare === undefined) return true;
  const version = prepare();
  if (version === null) return skip(name, 'it cannot be had here');
  versions.push(version);
  return true;
});
const rows = new Map(names.map((name) => [name, { '': CONTENDERS[name].title }]));

if (SCENARIOS.includes('throughput')) await measureThroughput();
if (SCENARIOS.includes('tail')) await measureTail();
if (SCENARIOS.includes('loss')) await measureLoss();
if (SCENARIOS.includes('kill')) await measureKills();

const machine = `${os.cpus()[0]?.model.trim()}, ${os.cpus().length} cores, ${os.type()} ${os.release()}, Node ${process.version}`;
const table = markdownTable([...rows.values()]);
console.log(`${machine}\n\n${table}`);
if (process.env.NO_WRITE === undefined) {
  const file = fileURLToPath(new URL('../README.md', import.meta.url));
  const head = `${[machine, ...versions].join(', ')}; ${ROUNDS} rounds of ${SECONDS} s.`;
  writeSection(file, 'bench:peers', `${head}\n\n${table}`);
}

/** 2 workers, 32 connections. All are up all the time; who goes first changes. */
async function measureThroughput() {
  const all = await startAll({ workers: 2 });
  await pause(2_000);
  for (const [name, { primary }] of all) {
    rows.get(name)['supervisor, MB'] = primary === null ? '–' : Math.round(rssBytes(primary) / 1e6);
  }
  for (const kind of ['short', 'keep-alive']) {
    const samples = await interleave(all, (contender) =>
      throughput(contender, { seconds: SECONDS, connections: 32, kind }),
    );
    for (const [name, found] of samples) {
      const errors = found.reduce((sum, sample) => sum + sample.errors, 0);
      const rate = Math.round(median(found.map((sample) => sample.rate)));
      rows.get(name)[`${kind}: requests/s`] = errors === 0 ? rate : `${rate} (${errors} errors)`;
      rows.get(name)[`${kind}: µs CPU each`] = Math.round(median(found.map((sample) => sample.cpuMicros)));
    }
  }
  await stopAll(all);
}

/** 4 workers, 400 new connections a second, and a request that blocks its worker for 200 ms every 400 ms. */
async function measureTail() {
  const all = await startAll({ workers: 4 });
  const how = { seconds: SECONDS * 2, rate: 400, blockMs: 200, blockEveryMs: 400 };
  for (const [name, found] of await interleave(all, (contender) => tail(contender, how))) {
    const latencies = found.flatMap((sample) => sample.latencies);
    const at = (share) => percentile(latencies, share).toFixed(1);
    rows.get(name)['tail: p50 / p99 / p99.9 ms'] = `${at(0.5)} / ${at(0.99)} / ${at(0.999)}`;
    const errors = {};
    for (const sample of found) addErrors(errors, sample.errors);
    if (errorText(errors) !== '0') rows.get(name)['tail: p50 / p99 / p99.9 ms'] += ` (${errorText(errors)})`;
  }
  await stopAll(all);
}

/** 2 busy workers under 16 clients that connect anew and 16 that POST over a kept connection. */
async function measureLoss() {
  for (const name of names) {
    const contender = await CONTENDERS[name].start({ workers: 2, env: { BUSY_MS: '5' } });
    try {
      const row = rows.get(name);
      if (contender.reload === null) {
        row[`errors in ${RELOADS} reloads`] = '–';
        row['reload, s'] = '–';
        continue;
      }
      const { answered, errors, result } = await loss(contender, { fresh: 16, keepAlive: 16 }, () =>
        reloads(contender, RELOADS),
      );
      row[`errors in ${RELOADS} reloads`] = `${errorText(errors)} of ${answered}`;
      row['reload, s'] = (median(result) / 1000).toFixed(1);
    } finally {
      await contender.stop();
    }
  }
}

async function measureKills() {
  for (const name of names) {
    const contender = await CONTENDERS[name].start({ workers: 4, env: { BUSY_MS: '1' } });
    try {
      if (contender.reload === null) {
        rows.get(name)[`${KILLS} × kill -9: errors`] = '–';
        rows.get(name)['longest wait, ms'] = '–';
        continue;
      }
      const { answered, errors, longestMs } = await loss(contender, { fresh: 32, keepAlive: 0 }, () =>
        kills(contender, KILLS),
      );
      rows.get(name)[`${KILLS} × kill -9: errors`] = `${errorText(errors)} of ${answered}`;
      rows.get(name)['longest wait, ms'] = longestMs;
    } finally {
      await contender.stop();
    }
  }
}

async function startAll(options) {
  const all = new Map();
  for (const name of names) all.set(name, await CONTENDERS[name].start(options));
  return all;
}

async function stopAll(all) {
  for (const contender of all.values()) await contender.stop();
}

/** @returns the samples of each, without the first round, which warms up */
async function interleave(all, measure) {
  const samples = new Map([...all.keys()].map((name) => [name, []]));
  for (let round = 0; round <= ROUNDS; round++) {
    const order = [...all.entries()];
    for (let i = 0; i < round % order.length; i++) order.push(order.shift());
    for (const [name, contender] of order) {
      const sample = await measure(contender);
      if (round > 0) samples.get(name).push(sample);
    }
  }
  return samples;
}

function skip(name, reason) {
  console.error(`${CONTENDERS[name].title} is left out: ${reason}`);
  return false;
}
