/** Of a supervisor that is scraped and looked at, what share it serves of what one without an admin address does. */
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { text as contents } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { median } from './figures.js';
import { end, hasEnded, start } from './launch.js';
import { freePort, startLoad } from './processes.js';
import { cpuMs, startSupervisor } from './supervisor.js';

const here = path.dirname(fileURLToPath(import.meta.url));
const counting = createRequire(import.meta.url).resolve('../apps/counting.cjs');
const SAMPLE_MS = 15_000;
const TOGETHER_MS = 30_000;
const WARM_UP_STEP_MS = 1_000;
/** A scraper is expected from its third scrape on. */
const SETTLED_MS = 3_000;
/** Warm are those that have answered so many each: until then code is compiled, which makes them four times as quick. */
const WARM_AFTER = 6_000;

export async function startObserved(workers, isObserved, env = {}) {
  const admin = isObserved ? await freePort() : null;
  const args = isObserved ? ['--admin', String(admin)] : [];
  const application = process.env.COUNTING === 'off' ? {} : { NODE_OPTIONS: `--require=${counting}` };
  const supervisor = await startSupervisor(workers, { args, env: { ...application, ...env } });
  return { supervisor, admin };
}

export function startObserver(admin) {
  const client = path.join(here, 'observing-client.js');
  return start(process.execPath, [client, String(admin)], { stdio: ['pipe', 'ignore', 'inherit'] });
}

/** It says why by itself; what it no longer asks for would count as served. */
export function assertObserving(observer) {
  if (hasEnded(observer)) throw new Error('the client that observes has ended');
}

/**
 * Each sample has a supervisor of its own, which is never stopped: who was stopped for long answers less for seconds afterwards, and
 * one start differs from the next by 2 %, for as long as it lives. A round is a pair, one after the other, which begins with either
 * kind in turn: requests a second, and processor time of supervisor and workers for each.
 */
export async function compareThroughput(workers, rounds) {
  for (const kind of ['short', 'one-each']) {
    const found = [];
    for (let round = 0; round < rounds; round++) {
      const order = round % 2 === 0 ? [false, true] : [true, false];
      const [first, second] = [await sample(workers, order[0], kind), await sample(workers, order[1], kind)];
      found.push(order[0] ? { seen: first, unseen: second } : { seen: second, unseen: first });
    }
    const ratio = (what) => text(found.map(({ seen, unseen }) => seen[what] / unseen[what]));
    console.log(`  ${kind}: requests/s ${ratio('rate')}, CPU of each ${ratio('costMs')}`);
  }
}

async function sample(workers, isObserved, kind) {
  const { supervisor, admin } = await startObserved(workers, isObserved, { KEEP_ALIVE_MS: '0' });
  const load = startLoad(supervisor.port, workers, kind);
  const observer = isObserved ? startObserver(admin) : null;
  try {
    const pids = [...(await supervisor.status()).workers.map(({ pid }) => pid), supervisor.pid];
    for (let answered = 0; answered < workers * WARM_AFTER; ) answered += (await load.during(WARM_UP_STEP_MS)).requests;
    await load.during(SETTLED_MS);
    const spentMs = () => pids.reduce((sum, pid) => sum + cpuMs(pid), 0);
    const before = spentMs();
    const { requests, seconds } = await load.during(SAMPLE_MS);
    if (observer !== null) assertObserving(observer);
    return { rate: requests / seconds, costMs: (spentMs() - before) / requests };
  } finally {
    await load.stop();
    if (observer !== null) await end(observer);
    await supervisor.stop();
  }
}

/**
 * At the same time: two supervisors, one observed and one without an admin address, each under a load of its own: what the machine
 * and other programs do is done to both. It may matter who is started first (the two orders of a round differed by up to 17 % on
 * one machine), so a round is one start in either order. What an observed one takes in a second, however much it answers, counts
 * twice, as it has half of the machine; what slows both alike is not seen.
 */
export async function compareTogether(workers, rounds) {
  const found = [];
  for (let round = 0; round < rounds; round++) {
    const orders = [await together(workers, true), await together(workers, false)];
    const ratio = (what) => Math.sqrt(orders.reduce((all, [plain, seen]) => (all * seen[what]) / plain[what], 1));
    found.push({ cost: ratio('costMs'), ofWorkers: ratio('workersMs') });
  }
  console.log(`  CPU of each request ${text(found.map(({ cost }) => cost))}`);
  console.log(`  without the supervisors ${text(found.map(({ ofWorkers }) => ofWorkers))}`);
}

/** @param isPlainFirst who is started first @returns the plain one, and the one that is observed */
async function together(workers, isPlainFirst) {
  const stops = [];
  try {
    const sides = [];
    for (const isObserved of isPlainFirst ? [false, true] : [true, false]) {
      const { supervisor, admin } = await startObserved(workers, isObserved, { KEEP_ALIVE_MS: '0' });
      stops.unshift(() => supervisor.stop());
      const pids = (await supervisor.status()).workers.map(({ pid }) => pid);
      sides.push({ isObserved, supervisor, admin, pids });
    }
    for (const side of sides) {
      side.load = startLoad(side.supervisor.port, workers, 'one-each');
      stops.unshift(() => side.load.stop());
    }
    const { admin } = sides.find(({ isObserved }) => isObserved);
    const observer = startObserver(admin);
    stops.unshift(() => end(observer));
    await Promise.all(
      sides.map(async ({ load }) => {
        for (let answered = 0; answered < workers * WARM_AFTER; )
          answered += (await load.during(WARM_UP_STEP_MS)).requests;
      }),
    );
    const cpuOf = ({ supervisor, pids }) => ({
      own: cpuMs(supervisor.pid),
      workers: pids.reduce((sum, pid) => sum + cpuMs(pid), 0),
    });
    const sample = async (side) => {
      await side.load.during(SETTLED_MS);
      const before = cpuOf(side);
      const { requests } = await side.load.during(TOGETHER_MS);
      const after = cpuOf(side);
      const workersMs = (after.workers - before.workers) / requests;
      return { costMs: workersMs + (after.own - before.own) / requests, workersMs };
    };
    const samples = await Promise.all(sides.map(sample));
    assertObserving(observer);
    return isPlainFirst ? samples : samples.reverse();
  } finally {
    for (const stop of stops) await stop();
  }
}

/** With cold caches: a lane on each processor, which are independent of each other. */
export async function compareCold(rounds) {
  const lane = path.join(here, 'cold-lane.js');
  const lanes = Array.from({ length: availableParallelism() }, (_, processor) =>
    start('taskset', ['-c', String(processor), process.execPath, lane, String(rounds)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    }),
  );
  const found = await Promise.all(
    lanes.map(async (child) => {
      const [said, [code]] = await Promise.all([contents(child.stdout), once(child, 'exit')]);
      if (code !== 0) throw new Error(`a lane has ended with ${code}`);
      return said.trim().split('\n').map(Number);
    }),
  );
  console.log(`  ${found.flat().length} pairs: CPU of each request ${text(found.flat())}`);
}

/** The median, and the mean with its standard error: how far rounds as different as these can be trusted. */
function text(values) {
  const middle = median(values).toFixed(3);
  if (values.length === 1) return middle;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  return `${middle} (mean ${mean.toFixed(3)} ± ${Math.sqrt(variance / values.length).toFixed(3)})`;
}
