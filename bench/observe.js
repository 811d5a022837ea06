/**
 * `npm run bench:observe`: what it costs to be observed. WORKERS (64) workers whose application counts with prom-client, without an
 * admin address, with one, scraped each second, and with a page open besides: one after the other, each for SECONDS (20). Then as
 * many requests as go, with as many connections as workers: ROUNDS (9) of two supervisors that are started for a sample of 15 s, one
 * observed and one without an admin address, after a warm-up. Then ROUNDS of two starts in which both run at the same time. And one
 * worker with cold caches, COLD_ROUNDS (20) such pairs on each processor. COUNTING=off does without prom-client. ONLY=cost,
 * ONLY=throughput, ONLY=together and ONLY=cold do one of them. Needs Linux.
 */
import { compareCold, compareThroughput, compareTogether, startObserved } from './support/observed.js';
import { machine } from './support/report.js';
import { cpuMs, privateMb } from './support/supervisor.js';

const WORKERS = Number(process.env.WORKERS ?? 64);
const SECONDS = Number(process.env.SECONDS ?? 20);
const ROUNDS = Number(process.env.ROUNDS ?? 9);
const COLD_ROUNDS = Number(process.env.COLD_ROUNDS ?? 20);
/** So many are not counted. */
const FIRST = 5;
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const only = process.env.ONLY;
const isWanted = (part) => only === undefined || only === part;
if (isWanted('cost')) {
  console.log(`${machine()}; ${WORKERS} workers, ${SECONDS} s each`);
  const table = {};
  for (const how of ['not observed', 'admin address', 'scraped', 'scraped, page open']) table[how] = await measure(how);
  console.table(table);
}
if (isWanted('throughput')) {
  console.log(`${machine()}; ${WORKERS} workers, with page and scraper, to that without an admin address`);
  console.log(`${ROUNDS} rounds: median (mean ± standard error)`);
  await compareThroughput(WORKERS, ROUNDS);
}
if (isWanted('together')) {
  console.log(`${machine()}; ${WORKERS} workers with page and scraper, beside ${WORKERS} without an admin address`);
  console.log(`${ROUNDS} rounds, kept connections: median (mean ± standard error)`);
  await compareTogether(WORKERS, ROUNDS);
}
if (isWanted('cold')) {
  console.log(
    `${machine()}; one worker with cold caches, with page and scraper, to one without an admin address: median (mean ± standard error)`,
  );
  await compareCold(COLD_ROUNDS);
}

async function measure(how) {
  const { supervisor, admin } = await startObserved(WORKERS, how !== 'not observed');
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
