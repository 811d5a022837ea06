/**
 * `npm run bench:observe`: what it costs to be observed. WORKERS (64) workers whose application counts with prom-client, without an
 * admin address, with one, scraped each second, and with a page open besides: turn by turn, each for SECONDS (20). Needs Linux.
 */
import { createRequire } from 'node:module';
import { freePort } from './support/processes.js';
import { machine } from './support/report.js';
import { cpuMs, privateMb, startSupervisor } from './support/supervisor.js';

const WORKERS = Number(process.env.WORKERS ?? 64);
const SECONDS = Number(process.env.SECONDS ?? 20);
const counting = createRequire(import.meta.url).resolve('./apps/counting.cjs');
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const table = {};
console.log(`${machine()}; ${WORKERS} workers, ${SECONDS} s each`);
for (const how of ['not observed', 'admin address', 'scraped', 'scraped, page open']) {
  table[how] = await measure(how);
}
console.table(table);

async function measure(how) {
  const admin = await freePort();
  const args = how === 'not observed' ? [] : ['--admin', String(admin)];
  const supervisor = await startSupervisor(WORKERS, { args, env: { NODE_OPTIONS: `--require=${counting}` } });
  const control = new AbortController();
  try {
    await wait(3_000);
    if (how.includes('page')) void open(admin, control.signal);
    const scrapes = [];
    let bytes = 0;
    const workersMs = async () => (await supervisor.status()).workers.reduce((sum, { pid }) => sum + cpuMs(pid), 0);
    const before = { own: cpuMs(supervisor.pid), workers: await workersMs() };
    const begun = performance.now();
    // At even distances, as Prometheus does it.
    for (let second = 1; second <= SECONDS; second++) {
      if (how.includes('scraped')) {
        const from = performance.now();
        bytes = (await (await fetch(`http://127.0.0.1:${admin}/metrics`)).arrayBuffer()).byteLength;
        scrapes.push(performance.now() - from);
      }
      await wait(begun + second * 1000 - performance.now());
    }
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
      'kB of it': Math.round(bytes / 1024),
    };
  } finally {
    control.abort();
    await supervisor.stop();
  }
}

async function open(admin, signal) {
  const answer = await fetch(`http://127.0.0.1:${admin}/feed`, { signal });
  try {
    for await (const _ of answer.body);
  } catch {
    // Closed with the measurement.
  }
}
