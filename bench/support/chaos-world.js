/** What a chaos run is done to: a supervisor with the server of apps/chaos.cjs, its folders, and its load. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, readlinkSync, rmdirSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Blame } from './chaos-blame.js';
import { Dice, monotonicMs } from './chaos-random.js';
import { childrenOf, makeFolder, pause, removeFolder, start } from './launch.js';
import { freePort, rssBytes } from './processes.js';

const here = path.dirname(fileURLToPath(import.meta.url));
const bin = path.join(here, '../../bin/holdfast.js');
const NAME = 'chaos';
export const SIZE = 3;
export const HANG_MS = 4_000;
/** What any request of the control socket may take: a reload waits for drains, hangs and ten tries at least. */
const ANSWER_MS = 150_000;
const TINY_DISK = 'size=256k,nr_inodes=64';
const OPTIONS = {
  instances: SIZE,
  'drain-timeout': '8s',
  'kill-timeout': '4s',
  'hang-timeout': `${HANG_MS}ms`,
  'ready-timeout': '15s',
  spread: '1s',
  'backoff-base': '50ms',
  'backoff-max': '1s',
  'max-restarts': 10_000,
};

export class World {
  dice;
  blame = new Blame((text) => this.say(text));
  /** How it went, by name. */
  answers = { ok: 0, failed: 0, unreachable: 0, unanswered: 0 };
  faultLines = [];
  /** Of the log, by message. */
  seen = {};
  /** PIDs of workers whose end has not been told. */
  workers = new Set();
  #startedAt = [];
  endedWith;
  #open = new Set();
  #mount = null;
  #freezer = null;
  #verbose;
  beganAt = monotonicMs();

  constructor({ seed, listenMode, isVerbose }) {
    this.dice = new Dice(seed);
    this.listenMode = listenMode;
    this.#verbose = isVerbose;
    this.folder = makeFolder('chaos-');
    this.token = `chaos-${process.pid}-${seed}`;
  }

  async start() {
    this.port = await freePort();
    this.adminPort = await freePort();
    const disk = path.join(this.folder, 'disk');
    mkdirSync(disk, { mode: 0o700 });
    this.#mount = mountTiny(disk) ? disk : null;
    this.#freezer = makeFreezer();
    // Below the file system, so that it can be removed.
    this.runtimeDir = path.join(disk, 'run');
    mkdirSync(this.runtimeDir, { mode: 0o700 });
    const options = { ...OPTIONS, 'listen-mode': this.listenMode, admin: this.adminPort, name: NAME };
    const words = Object.entries(options).flatMap(([key, value]) => [`--${key}`, String(value)]);
    const script = path.join(here, '../apps/chaos.cjs');
    const env = {
      ...process.env,
      PORT: String(this.port),
      CHAOS_DIR: this.folder,
      CHAOS_RUN: this.token,
      HOLDFAST_RUNTIME_DIR: this.runtimeDir,
    };
    this.supervisor = start(process.execPath, [bin, 'start', script, '--log-format', 'json', ...words], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.pid = this.supervisor.pid;
    this.freeze(this.pid);
    this.complaint = '';
    this.supervisor.stderr.setEncoding('utf8').on('data', (text) => {
      this.complaint = `${this.complaint}${text}`.slice(-4_000);
    });
    await new Promise((resolve, reject) => {
      this.supervisor.once('exit', (code, signal) => {
        this.endedWith = signal ?? code;
        reject(new Error(`the supervisor ended with ${this.endedWith}\n${this.complaint}`));
      });
      createInterface({ input: this.supervisor.stdout }).on('line', (text) => {
        const line = JSON.parse(text);
        this.#heard(line);
        if (line.msg === 'started') resolve();
      });
    });
  }

  #heard(line) {
    const { msg, pid, signal } = line;
    if (line.stream === undefined) this.seen[msg] = (this.seen[msg] ?? 0) + 1;
    if (msg === 'worker started') {
      this.workers.add(pid);
      this.#startedAt.push(monotonicMs());
    } else if (msg === 'worker exited' || msg === 'worker crashed') {
      this.workers.delete(pid);
      this.blame.died(pid, monotonicMs(), signal);
    } else if (msg === 'fault in the supervisor') {
      this.faultLines.push(line);
    }
    if (this.#verbose && line.stream === undefined)
      this.say(`  ${line.level} ${JSON.stringify({ ...line, time: undefined, level: undefined })}`);
  }

  say(text) {
    const at = ((monotonicMs() - this.beganAt) / 1_000).toFixed(1).padStart(6);
    if (this.#verbose) console.error(`${at} ${text}`);
  }

  /** To the control socket. @returns what it said, or null where it could not be reached; never rejects */
  control(method, url, body) {
    const asked = this.#ask(method, url, body).then((text) => {
      if (url === '/status') return text;
      if (text === null) this.answers.unreachable += 1;
      else this.answers[/"ok":true/.test(text) ? 'ok' : 'failed'] += 1;
      return text;
    });
    this.#open.add(asked);
    void asked.finally(() => this.#open.delete(asked));
    return asked;
  }

  #ask(method, url, body) {
    const socketPath = path.join(this.runtimeDir, `${NAME}.sock`);
    return new Promise((resolve) => {
      const request = http.request({ socketPath, method, path: url, agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk) => {
          text += chunk;
        });
        response.on('close', () => {
          clearTimeout(timer);
          // Cut off: the supervisor did not say how it went.
          if (!response.complete) this.answers.unanswered += 1;
          resolve(text);
        });
      });
      const timer = setTimeout(() => {
        this.answers.unanswered += 1;
        this.say(`no answer to ${method} ${url}`);
        request.destroy();
      }, ANSWER_MS);
      request.on('error', () => {
        clearTimeout(timer);
        resolve(null);
      });
      request.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  /** Until all that was asked has been answered. */
  async answered() {
    await Promise.all(this.#open);
  }

  /** @returns null where it cannot be had */
  async status() {
    const text = await this.control('GET', '/status');
    try {
      return JSON.parse(text);
    } catch {
      return null;
    }
  }

  /** As a user asks. @returns the exit code */
  async command(...args) {
    const child = start(process.execPath, [bin, ...args], {
      env: { ...process.env, HOLDFAST_RUNTIME_DIR: this.runtimeDir },
      stdio: 'ignore',
    });
    return new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)));
  }

  /** Puts a process, with all that it starts from now on, among those that `stall` stops. */
  freeze(pid) {
    if (this.#freezer !== null) writeFileSync(path.join(this.#freezer, 'cgroup.procs'), String(pid));
  }

  get canStall() {
    return this.#freezer !== null;
  }

  get hasDisk() {
    return this.#mount !== null;
  }

  /** Everybody at once, as a busy machine does. */
  async stall(ms) {
    const state = path.join(this.#freezer, 'freezer.state');
    writeFileSync(state, 'FROZEN');
    await pause(ms);
    writeFileSync(state, 'THAWED');
  }

  /** How many files of each kind the supervisor has open, and those about workers that may have ended (src/monitor/usage.ts). */
  openFiles() {
    const kinds = {};
    let about = 0;
    for (const fd of readdirSync(`/proc/${this.pid}/fd`)) {
      const file = targetOf(`/proc/${this.pid}/fd/${fd}`);
      if (/^\/proc\/\d+\/stat$/.test(file)) about += 1;
      else if (file !== '') {
        const kind = file.replace(/\d+/g, 'N');
        kinds[kind] = (kinds[kind] ?? 0) + 1;
      }
    }
    return { kinds, about };
  }

  /** What its sockets are, for people. */
  describeSockets() {
    const found = [];
    const tables = ['unix', 'tcp', 'tcp6', 'udp'].map((name) => [
      name,
      readFileSync(`/proc/net/${name}`, 'utf8').split('\n'),
    ]);
    for (const fd of readdirSync(`/proc/${this.pid}/fd`)) {
      const [, inode] = /^socket:\[(\d+)\]$/.exec(targetOf(`/proc/${this.pid}/fd/${fd}`)) ?? [];
      if (inode === undefined) continue;
      const [name, rows] = tables.find(([, lines]) => lines.some((line) => line.split(/\s+/).includes(inode))) ?? [];
      found.push(`${fd} ${name ?? 'unknown'} ${rows?.find((line) => line.split(/\s+/).includes(inode)) ?? inode}`);
    }
    return found;
  }

  startedWithin(ms) {
    const since = monotonicMs() - ms;
    return this.#startedAt.filter((at) => at >= since).length;
  }

  rssMb() {
    return Math.round(rssBytes(this.pid) / 1e6);
  }

  /** PIDs of all processes that come from this run, the supervisor among them. */
  processes() {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .filter((pid) => {
        try {
          return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`CHAOS_RUN=${this.token}\0`);
        } catch {
          return false;
        }
      })
      .map(Number);
  }

  /** Peers' ports of the connections that a process has accepted: to be asked of one that is stopped. */
  connectionsOf(pid) {
    const inodes = new Set(
      readdirSync(`/proc/${pid}/fd`).map((fd) => /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1]),
    );
    const own = `:${this.port.toString(16).toUpperCase().padStart(4, '0')}`;
    const rows = readFileSync('/proc/net/tcp', 'utf8')
      .split('\n')
      .map((row) => row.trim().split(/\s+/));
    const held = rows.filter(([, local, , , , , , , , inode]) => local?.endsWith(own) && inodes.has(inode));
    return new Set(held.map(([, , peer]) => Number.parseInt(peer.split(':')[1], 16)));
  }

  /** @returns the exit code of the supervisor; 'killed' where it did not end */
  async stop() {
    if (this.endedWith !== undefined) return this.endedWith;
    const gone = new Promise((resolve) => this.supervisor.once('exit', resolve));
    this.supervisor.kill('SIGTERM');
    const force = setTimeout(() => this.supervisor.kill('SIGKILL'), 30_000);
    await gone;
    clearTimeout(force);
    return this.endedWith;
  }

  async remove() {
    for (const pid of this.processes()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has gone.
      }
    }
    while (this.processes().length > 0) await pause(50);
    if (this.#mount !== null) execFileSync('umount', [this.#mount]);
    if (this.#freezer !== null) await removeFreezer(this.#freezer);
    removeFolder(this.folder);
  }
}

/** @returns an empty text where it has gone meanwhile */
function targetOf(link) {
  try {
    return readlinkSync(link);
  } catch {
    return '';
  }
}

/** @returns whether it could be */
function mountTiny(folder) {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `mode=0700,${TINY_DISK}`, 'holdfast-chaos', folder], {
      stdio: 'ignore',
    });
    return true;
  } catch {
    return false;
  }
}

/** @returns a cgroup (version 1) that can be frozen, or null where none can be made */
function makeFreezer() {
  const folder = `/sys/fs/cgroup/freezer/holdfast-chaos-${process.pid}`;
  try {
    mkdirSync(folder);
    return folder;
  } catch {
    return null;
  }
}

/** It is busy until the last of its processes has really gone. */
async function removeFreezer(folder) {
  for (let tries = 0; ; tries++) {
    try {
      rmdirSync(folder);
      return;
    } catch (error) {
      if (tries === 100) throw error;
      await pause(50);
    }
  }
}

export { childrenOf };
