/** Of a supervisor that is scraped and looked at, what share it serves of what one without an admin address does. */
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { percentiles } from './figures.js';
import { end, start } from './launch.js';
import { freePort, startLoad } from './processes.js';
import { cpuMs, startSupervisor } from './supervisor.js';

const here = path.dirname(fileURLToPath(import.meta.url));
const counting = createRequire(import.meta.url).resolve('../apps/counting.cjs');
const ROUND_MS = 3_000;
/**
 * Who has been stopped for long answers a tenth less at first, observed or not, and as much as before only after some seven
 * seconds; a scraper is expected from its third scrape on.
 */
const LEAD_IN_MS = 11_000;
/** Warm are those that have answered so many each: until then code is compiled, which makes them four times as quick. */
const WARM_AFTER = 6_000;
/** A trend in the order of their starts, as in how much of them the machine has kept at hand, is the same for both kinds. */
const ORDER = [false, true, true, false];
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export async function startObserved(workers, isObserved, env = {}) {
  const admin = isObserved ? await freePort() : null;
  const args = isObserved ? ['--admin', String(admin)] : [];
  const application = process.env.COUNTING === 'off' ? {} : { NODE_OPTIONS: `--require=${counting}` };
  const supervisor = await startSupervisor(workers, { args, env: { ...application, ...env } });
  return { supervisor, admin };
}

/**
 * Two of each, in turn, while the others are stopped: requests a second, and processor time of supervisor and workers for each.
 * What two that are alike differ by says what the comparison is worth.
 */
export async function compareThroughput(workers, rounds) {
  for (const kind of ['short', 'one-each']) {
    const all = [];
    const found = [];
    try {
      for (const isObserved of ORDER) all.push(await candidate(workers, isObserved, kind));
      for (const one of all) await one.inTurn(() => warmUp(one.load, workers * WARM_AFTER));
      for (let round = 0; round < rounds; round++) {
        const measured = new Map();
        for (const one of round % 2 === 0 ? all : all.toReversed()) {
          measured.set(one, await one.inTurn(() => measure(one)));
        }
        found.push(all.map((one) => measured.get(one)));
      }
    } finally {
      for (const one of all) await one.stop();
    }
    const ratio = (what, of, to) => text(found.map((round) => sum(round, of, what) / sum(round, to, what)));
    for (const [name, of, to] of [
      ['observed', [1, 2], [0, 3]],
      ['alike', [3], [0]],
      ['alike, observed', [2], [1]],
    ]) {
      console.log(`  ${kind}, ${name}: requests/s ${ratio('rate', of, to)}, CPU of each ${ratio('costMs', of, to)}`);
    }
  }
}

function sum(round, places, what) {
  return places.reduce((total, place) => total + round[place][what], 0);
}

/** Stopped, with its clients, but for its turns. */
async function candidate(workers, isObserved, kind) {
  const { supervisor, admin } = await startObserved(workers, isObserved, { KEEP_ALIVE_MS: '0' });
  const pids = [...(await supervisor.status()).workers.map(({ pid }) => pid), supervisor.pid];
  const load = startLoad(supervisor.port, workers, kind);
  const observer = isObserved
    ? start(process.execPath, [path.join(here, 'observing-client.js'), String(admin)], {
        stdio: ['pipe', 'ignore', 'inherit'],
      })
    : null;
  const all = [...pids, load.pid, ...(observer === null ? [] : [observer.pid])];
  const signal = (name, order) => {
    for (const pid of order) process.kill(pid, name);
  };
  // Nobody is missed by a supervisor that does not run.
  const pause = () => signal('SIGSTOP', all.toReversed());
  const resume = () => signal('SIGCONT', all);
  pause();
  return {
    pids,
    load,
    async inTurn(task) {
      resume();
      try {
        return await task();
      } finally {
        pause();
      }
    },
    async stop() {
      resume();
      await load.stop();
      if (observer !== null) await end(observer);
      await supervisor.stop();
    },
  };
}

async function warmUp(load, wanted) {
  for (let answered = 0; answered < wanted; ) answered += (await load.during(ROUND_MS)).requests;
}

async function measure({ pids, load }) {
  await wait(LEAD_IN_MS);
  const spentMs = () => pids.reduce((sum, pid) => sum + cpuMs(pid), 0);
  const before = spentMs();
  const { requests, seconds } = await load.during(ROUND_MS);
  return { rate: requests / seconds, costMs: (spentMs() - before) / requests };
}

function text(values) {
  const [low, median, high] = percentiles(values, [0.25, 0.5, 0.75]).map((ratio) => ratio.toFixed(3));
  return `${median}  (${low} to ${high})`;
}
