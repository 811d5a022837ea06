/**
 * `npm run bench:observe`: what it costs to be observed. WORKERS (64) workers whose application counts with prom-client, without an
 * admin address, with one, scraped each second, and with a page open besides: one after the other, each for SECONDS (20). Then as
 * many requests as go, of two such supervisors in turn, while the other one is stopped: ROUNDS (9) of 3 s each. COUNTING=off
 * does without prom-client. Needs Linux.
 */
import { createRequire } from 'node:module';
import { percentiles } from './support/figures.js';
import { freePort, load } from './support/processes.js';
import { machine } from './support/report.js';
import { cpuMs, privateMb, startSupervisor } from './support/supervisor.js';

const WORKERS = Number(process.env.WORKERS ?? 64);
const SECONDS = Number(process.env.SECONDS ?? 20);
const ROUNDS = Number(process.env.ROUNDS ?? 9);
/** So many are not counted. */
const FIRST = 5;
/** A scraper is expected from its third scrape on. */
const LEAD_IN_MS = 4_000;
/** Before the rounds, of a second each: connections come to other workers in each, and code is compiled where they come. */
const WARM_UP_BURSTS = 20;
const counting = createRequire(import.meta.url).resolve('./apps/counting.cjs');
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const table = {};
console.log(`${machine()}; ${WORKERS} workers, ${SECONDS} s each`);
for (const how of ['not observed', 'admin address', 'scraped', 'scraped, page open']) {
  table[how] = await measure(how);
}
console.table(table);
await compareThroughput();

async function start(isObserved) {
  const admin = isObserved ? await freePort() : null;
  const args = isObserved ? ['--admin', String(admin)] : [];
  const env = process.env.COUNTING === 'off' ? {} : { NODE_OPTIONS: `--require=${counting}` };
  const supervisor = await startSupervisor(WORKERS, { args, env });
  const pids = (await supervisor.status()).workers.map(({ pid }) => pid);
  const signal = (name, order) => {
    for (const pid of order) process.kill(pid, name);
  };
  return {
    supervisor,
    admin,
    pids: [supervisor.pid, ...pids],
    // Nobody is missed by a supervisor that does not run.
    pause: () => signal('SIGSTOP', [supervisor.pid, ...pids]),
    resume: () => signal('SIGCONT', [...pids, supervisor.pid]),
  };
}

async function measure(how) {
  const { supervisor, admin } = await start(how !== 'not observed');
  const control = new AbortController();
  try {
    await wait(3_000);
    if (how.includes('page')) void open(admin, control.signal);
    const scrapes = [];
    let bytes = 0;
    /** At even distances, as Prometheus does it. */
    const everySecond = async (times) => {
      const begun = performance.now();
      for (let second = 1; second <= times; second++) {
        if (how.includes('scraped')) {
          const from = performance.now();
          bytes = await scrape(admin);
          scrapes.push(performance.now() - from);
        }
        await wait(begun + second * 1000 - performance.now());
      }
    };
    // What is asked for the first time is dear, once: code is compiled, descriptions are told.
    await everySecond(FIRST);
    const [first] = scrapes.splice(0);
    const workersMs = async () => (await supervisor.status()).workers.reduce((sum, { pid }) => sum + cpuMs(pid), 0);
    const before = { own: cpuMs(supervisor.pid), workers: await workersMs() };
    const begun = performance.now();
    await everySecond(SECONDS);
    const seconds = (performance.now() - begun) / 1000;
    const own = (cpuMs(supervisor.pid) - before.own) / seconds / 10;
    const workers = ((await workersMs()) - before.workers) / seconds / 10;
    scrapes.sort((a, b) => a - b);
    const at = (share) => (scrapes.length === 0 ? null : Math.round(scrapes[Math.floor(share * (scrapes.length - 1))]));
    return {
      'supervisor, % of a core': own.toFixed(1),
      'workers, % of a core': workers.toFixed(1),
      'supervisor, MB': privateMb(supervisor.pid).toFixed(1),
      'scrape, ms: median': at(0.5),
      slowest: at(1),
      'the very first': first === undefined ? null : Math.round(first),
      'kB of it': Math.round(bytes / 1024),
    };
  } finally {
    control.abort();
    await supervisor.stop();
  }
}

/**
 * Of one that is scraped and looked at, to one without an admin address, paired by round: requests a second, and processor time of
 * supervisor and workers for each.
 */
async function compareThroughput() {
  const [plain, observed] = [await start(false), await start(true)];
  const kinds = ['short', 'keep-alive'];
  const ratios = Object.fromEntries(kinds.map((kind) => [kind, { rate: [], cost: [] }]));
  const run = async ({ supervisor, pids }) => {
    const found = {};
    const spentMs = () => pids.reduce((sum, pid) => sum + cpuMs(pid), 0);
    for (const kind of kinds) {
      const before = spentMs();
      const { requests, errors, seconds } = await load(supervisor.port, 3, 64, kind);
      if (errors > 0) throw new Error(`${errors} errors under load`);
      found[kind] = { rate: requests / seconds, cost: (spentMs() - before) / requests };
    }
    return found;
  };
  const turnOf = async (who, task) => {
    who.resume();
    try {
      return await task();
    } finally {
      who.pause();
    }
  };
  const turns = {
    plain: () => turnOf(plain, () => run(plain)),
    observed: () => turnOf(observed, () => whileObserved(observed.admin, () => run(observed))),
  };
  try {
    for (const one of [plain, observed]) one.pause();
    for (const one of [plain, observed]) await turnOf(one, () => warmUp(one));
    // The first round is not counted: who has just been asked for the first time is dear.
    for (let round = 0; round <= ROUNDS; round++) {
      const found = {};
      const order = round % 2 === 0 ? ['plain', 'observed'] : ['observed', 'plain'];
      for (const who of order) found[who] = await turns[who]();
      for (const kind of round === 0 ? [] : kinds) {
        ratios[kind].rate.push(found.observed[kind].rate / found.plain[kind].rate);
        ratios[kind].cost.push(found.observed[kind].cost / found.plain[kind].cost);
      }
    }
  } finally {
    for (const { resume, supervisor } of [plain, observed]) {
      resume();
      await supervisor.stop();
    }
  }
  const text = (values) => {
    const [low, median, high] = percentiles(values, [0.25, 0.5, 0.75]).map((ratio) => ratio.toFixed(3));
    return `${median}  (${low} to ${high})`;
  };
  console.log(`\nWith page and scraper, to that without an admin address; ${ROUNDS} rounds: median (quartiles)`);
  for (const kind of kinds) {
    console.log(`  ${kind.padEnd(10)}  requests/s ${text(ratios[kind].rate)}, CPU of each ${text(ratios[kind].cost)}`);
  }
}

async function warmUp({ supervisor }) {
  for (let burst = 0; burst < WARM_UP_BURSTS; burst++) {
    for (const kind of ['short', 'keep-alive']) await load(supervisor.port, 1, 64, kind);
  }
}

/** Scraped each second, and with a page open. */
async function whileObserved(admin, task) {
  const control = new AbortController();
  const page = open(admin, control.signal);
  let scraped = scrape(admin);
  const timer = setInterval(() => {
    scraped = scraped.then(() => scrape(admin));
  }, 1000);
  try {
    await wait(LEAD_IN_MS);
    const found = await task();
    await scraped;
    return found;
  } finally {
    clearInterval(timer);
    control.abort();
    await page;
  }
}

async function scrape(admin) {
  return (await (await fetch(`http://127.0.0.1:${admin}/metrics`)).arrayBuffer()).byteLength;
}

async function open(admin, signal) {
  const answer = await fetch(`http://127.0.0.1:${admin}/feed`, { signal });
  try {
    for await (const _ of answer.body);
  } catch {
    // Closed with the measurement.
  }
}
