/**
 * `npm run bench:outlive`: the supervisor is killed again and again, at random moments, and started anew, under clients of all kinds;
 * with `--reloads` between reloads, with `--upgrades` between upgrades, of which some are killed in the middle. Ends with 1 where that costs a request, a connection that
 * nothing but a reload may close, or a worker.
 *
 * node bench/outlive.js [--seconds 20] [--workers 2] [--busy-ms 4] [--reloads] [--clients 32] [--listen-mode reuseport|reuseaddr]
 *   [--times] (only how long a take-over and an upgrade take, with 2 and with 64 workers) [--json]
 * node bench/outlive.js --across /opt/node22/bin/node,/opt/node24/bin/node [--rounds 20]: one upgrade after the other, to each of
 *   these in turn; what is open and in memory after the third and the last.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { claim, end, killWhole, makeFolder, pause, run, start } from './support/launch.js';
import { freePort } from './support/processes.js';
import { withClients } from './support/standing-clients.js';
import { bin } from './support/supervisor.js';

const here = path.dirname(fileURLToPath(import.meta.url));
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '20' },
    workers: { type: 'string', default: '2' },
    'busy-ms': { type: 'string', default: '4' },
    clients: { type: 'string', default: '32' },
    'listen-mode': { type: 'string', default: 'auto' },
    reloads: { type: 'boolean', default: false },
    upgrades: { type: 'boolean', default: false },
    across: { type: 'string' },
    rounds: { type: 'string', default: '20' },
    times: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const START_MS = 30_000;
/** A worker that the dead one has just started, or that its reload has replaced, is another one. */
const GAP_MS = 900;

class Shop {
  static async open(workers, { busyMs = '0', isSecure = true } = {}) {
    const folder = makeFolder('outlive-');
    const tls = [path.join(folder, 'key.pem'), path.join(folder, 'cert.pem')];
    if (isSecure) {
      const words = 'req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout'.split(' ');
      execFileSync('openssl', [...words, tls[0], '-out', tls[1]], { stdio: 'ignore' });
    }
    return new Shop(workers, folder, await freePort(), await freePort(), {
      ...(isSecure && { TLS_KEY: tls[0], TLS_CERT: tls[1] }),
      BUSY_MS: busyMs,
    });
  }

  constructor(workers, folder, port, tlsPort, env) {
    Object.assign(this, { workers, folder, port, tlsPort, number: 0, child: null, pids: new Set() });
    this.env = { ...process.env, ...env, PORT: String(port), TLS_PORT: String(tlsPort) };
    this.env.HOLDFAST_RUNTIME_DIR = path.join(folder, 'run');
  }

  /** Its log is a file: a pipe to this process would end with it. */
  start(node = process.execPath) {
    this.number += 1;
    this.log = path.join(this.folder, `log-${this.number}`);
    const fd = openSync(this.log, 'w');
    const words = ['start', path.join(here, 'apps/outlive.cjs'), '--name', 'shop', '-i', String(this.workers)];
    const options = ['--trial', '0', '--log-format', 'json', '--listen-mode', values['listen-mode']];
    this.child = start(node, [bin, ...words, ...options], { env: this.env, stdio: ['ignore', fd, fd] });
    closeSync(fd);
  }

  lines() {
    const whole = readFileSync(this.log, 'utf8').split('\n').slice(0, -1);
    return whole.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
  }

  async isUp() {
    const until = performance.now() + START_MS;
    for (;;) {
      const lines = this.lines();
      const started = lines.find(({ msg }) => msg === 'started');
      for (const { msg, pid } of lines) if (msg === 'worker started') this.#claim(pid);
      if (started !== undefined) return lines;
      if (this.child.exitCode !== null || performance.now() > until) throw new Error(`no start: ${this.tail()}`);
      await pause(10);
    }
  }

  #claim(pid) {
    if (this.pids.has(pid)) return;
    this.pids.add(pid);
    claim(pid);
  }

  tail() {
    return readFileSync(this.log, 'utf8').slice(-3_000);
  }

  kill() {
    return end(this.child, 'SIGKILL');
  }

  command(...words) {
    return run(process.execPath, [bin, ...words, '--name', 'shop'], { env: this.env });
  }

  async status() {
    return JSON.parse(await this.command('status', '--json'));
  }

  async close() {
    await end(this.child);
    for (const pid of this.pids) await killWhole(pid);
  }
}

/** From the start of the process to the word that all are taken over, in ms: the median and the longest of some. */
async function takeoverTimes(workers, rounds) {
  const shop = await Shop.open(workers, { isSecure: false });
  shop.start();
  await shop.isUp();
  const times = [];
  for (let i = 0; i < rounds; i++) {
    await shop.kill();
    await pause(300);
    const from = Date.now();
    shop.start();
    const lines = await shop.isUp();
    const over = lines.find(({ msg }) => msg === 'workers taken over');
    if (over?.workers !== workers) throw new Error(`not all were taken over: ${shop.tail()}`);
    times.push(Date.parse(over.time) - from);
  }
  await shop.close();
  times.sort((a, b) => a - b);
  return { workers, medianMs: times[times.length >> 1], longestMs: times.at(-1) };
}

/** The whole of the command, and of that the time in which there was no supervisor: median and longest of some, in ms. */
async function upgradeTimes(workers, rounds) {
  const shop = await Shop.open(workers, { isSecure: false });
  shop.start();
  await shop.isUp();
  const times = [];
  for (let i = 0; i < rounds; i++) {
    const from = performance.now();
    await shop.command('upgrade');
    times.push(Math.round(performance.now() - from));
  }
  const lines = shop.lines();
  const at = (message) => lines.filter(({ msg }) => msg === message).map(({ time }) => Date.parse(time));
  const gone = at('supervisor is being replaced');
  const alone = at('supervisor replaced').map((time, i) => time - gone[i]);
  await shop.close();
  const figures = (all) => {
    const sorted = all.toSorted((a, b) => a - b);
    return { medianMs: sorted[sorted.length >> 1], longestMs: sorted.at(-1) };
  };
  return { workers, command: figures(times), without: figures(alone) };
}

const KINDS = () => [...(values.reloads ? ['reload'] : []), ...(values.upgrades ? ['upgrade'] : [])];

async function rage(shop) {
  const done = { kills: 0, reload: 0, upgrade: 0, cut: 0, meanwhile: 0 };
  const until = performance.now() + 1_000 * Number(values.seconds);
  while (performance.now() < until) {
    await pause(Math.random() * GAP_MS);
    const kinds = KINDS();
    if (kinds.length > 0 && Math.random() < 0.6) {
      const kind = kinds[Math.floor(Math.random() * kinds.length)];
      done[kind] += 1;
      let cut = false;
      const command = shop.command(kind).catch((error) => {
        // One that was killed in the middle of its start is not there yet, or no longer.
        if (!cut && !/cannot find a supervisor/.test(error.message)) throw error;
        done.cut += 1;
      });
      if (Math.random() < 0.5) {
        await command;
        continue;
      }
      cut = true;
      await pause(Math.random() * GAP_MS);
    }
    await shop.kill();
    done.kills += 1;
    await pause(Math.random() < 0.3 ? 0 : Math.random() * 500);
    shop.start();
    if (Math.random() < 0.3) {
      // The next one is killed in the middle of it.
      done.meanwhile += 1;
      await pause(Math.random() * 500);
    } else await shop.isUp();
  }
  await shop.isUp();
  return done;
}

async function underLoad() {
  const workers = Number(values.workers);
  const shop = await Shop.open(workers, { busyMs: values['busy-ms'] });
  shop.start();
  await shop.isUp();
  const before = await shop.status();
  const clients = Number(values.clients);
  // A reload ends conversations behind an upgrade, and TLS, in the way of their protocol: they are no loss.
  const half = values.reloads ? 0 : clients / 2;
  const { result, counts } = await withClients(
    'outlive-client.js',
    [shop.port, shop.tlsPort, clients, clients, half, half],
    async () => {
      const done = await rage(shop);
      await pause(300);
      return done;
    },
  );
  const after = await shop.status();
  await shop.close();
  const ids = ({ workers: all }) => all.map(({ pid }) => pid).sort((a, b) => a - b);
  const problems = Object.entries(counts.errors).map(([what, count]) => `${count} × ${what}`);
  if (!values.reloads && JSON.stringify(ids(before)) !== JSON.stringify(ids(after))) problems.push('other workers');
  if (after.workers.length !== workers) problems.push(`${after.workers.length} workers`);
  // Each has opened its connection once.
  const opened = clients + 2 * half;
  if (!values.reloads && counts.connects !== opened) problems.push(`${counts.connects} connections, not ${opened}`);
  return { node: process.version, mode: after.listenMode, steering: after.steering, ...result, counts, problems };
}

/** What a process has open, what it has in memory, and which of its children nobody has waited for. */
function sizeOf(pid) {
  const rss = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
  const zombies = children.filter((child) => /\) Z /.test(readFileSync(`/proc/${child}/stat`, 'latin1')));
  return { open: readdirSync(`/proc/${pid}/fd`).length, rssMb: Math.round(rss[1] / 1024), zombies: zombies.length };
}

async function across(nodes) {
  const workers = Number(values.workers);
  const shop = await Shop.open(workers, { busyMs: values['busy-ms'] });
  shop.start(nodes[0]);
  await shop.isUp();
  const begin = await shop.status();
  const clients = Number(values.clients);
  const half = clients / 2;
  const problems = [];
  const pids = ({ workers: all }) => JSON.stringify(all.map(({ pid }) => pid).sort((a, b) => a - b));
  const rounds = Number(values.rounds);
  const { result, counts } = await withClients(
    'outlive-client.js',
    [shop.port, shop.tlsPort, clients, clients, half, half],
    async () => {
      const sizes = {};
      for (let i = 1; i <= rounds; i++) {
        await shop.command('upgrade', '--node', nodes[i % nodes.length]);
        const now = await shop.status();
        if (now.pid !== begin.pid) problems.push(`PID ${now.pid} after upgrade ${i}`);
        if (pids(now) !== pids(begin)) problems.push(`other workers after upgrade ${i}`);
        if (!now.steering && begin.steering) problems.push(`not steered after upgrade ${i}`);
        // Of one and the same Node, so that they can be compared.
        if (i === nodes.length || i === rounds - (rounds % nodes.length))
          sizes[i] = { ...sizeOf(now.pid), node: now.nodeVersion };
        if (i === 3 || i === rounds) sizes[i] ??= { ...sizeOf(now.pid), node: now.nodeVersion };
        await pause(Math.random() * 300);
      }
      return { sizes };
    },
  );
  await shop.close();
  problems.push(...Object.entries(counts.errors).map(([what, count]) => `${count} × ${what}`));
  if (counts.connects !== clients + 2 * half)
    problems.push(`${counts.connects} connections, not ${clients + 2 * half}`);
  return { nodes: nodes.length, rounds, ...result, counts, problems };
}

async function times() {
  const takeovers = [await takeoverTimes(2, 10), await takeoverTimes(64, 3)];
  return { takeovers, upgrades: [await upgradeTimes(2, 10), await upgradeTimes(64, 3)] };
}

const report = values.across
  ? await across(values.across.split(','))
  : values.times
    ? await times()
    : await underLoad();
console.log(JSON.stringify(report, null, values.json ? 0 : 2));
process.exitCode = (report.problems ?? []).length > 0 ? 1 : 0;
