/** What a chaos run is done to: a supervisor with the server of apps/chaos.cjs, its folders, and its load. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Blame } from './chaos-blame.js';
import { Control } from './chaos-control.js';
import { makeFreezer, mountTiny, removeFreezer } from './chaos-machine.js';
import { processesWith } from './chaos-proc.js';
import { Dice, monotonicMs } from './chaos-random.js';
import { makeFolder, pause, removeFolder, start } from './launch.js';
import { freePort, rssBytes } from './processes.js';

const here = path.dirname(fileURLToPath(import.meta.url));
const bin = path.join(here, '../../bin/holdfast.js');
const NAME = 'chaos';
export const SIZE = 3;
export const HANG_MS = 4_000;
const OPTIONS = {
  instances: SIZE,
  'drain-timeout': '8s',
  'kill-timeout': '4s',
  'hang-timeout': `${HANG_MS}ms`,
  'ready-timeout': '15s',
  // Long enough for something to happen in it, short enough for many reloads.
  trial: '300ms',
  spread: '1s',
  'backoff-base': '50ms',
  'backoff-max': '1s',
  'max-restarts': 10_000,
};

export class World {
  dice;
  blame = new Blame((text) => this.say(text), HANG_MS);
  faultLines = [];
  /** Of the log, by message. */
  seen = {};
  /** PIDs of workers whose end has not been told. */
  workers = new Set();
  #startedAt = [];
  #guests = new Set();
  endedWith;
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
    this.requests = new Control(path.join(this.runtimeDir, `${NAME}.sock`));
    process.prependOnceListener('exit', () => this.#giveUp());
    const options = { ...OPTIONS, 'listen-mode': this.listenMode, admin: this.adminPort, name: NAME };
    const words = Object.entries(options).flatMap(([key, value]) => [`--${key}`, String(value)]);
    const script = path.join(here, '../apps/chaos.cjs');
    const env = {
      ...process.env,
      PORT: String(this.port),
      CHAOS_DIR: this.folder,
      CHAOS_RUN: this.token,
      HOLDFAST_RUNTIME_DIR: this.runtimeDir,
      HOLDFAST_ORPHAN_TIMEOUT: '0',
    };
    this.supervisor = start(process.execPath, [bin, 'start', script, '--log-format', 'json', ...words], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.pid = this.supervisor.pid;
    this.#freeze(this.pid);
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

  /** To the control socket, as `Control` has it. */
  control(method, url, body) {
    return this.requests.send(method, url, body);
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

  /** Who is to be stopped by `stall`, and is no child of the supervisor. */
  take(child) {
    this.#guests.add(child.pid);
    // Its PID may be somebody else's from now on.
    child.once('exit', () => this.#guests.delete(child.pid));
    this.#freeze(child.pid);
  }

  /** With all that it starts from now on. */
  #freeze(pid) {
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
    const from = monotonicMs();
    writeFileSync(state, 'FROZEN');
    await pause(ms);
    writeFileSync(state, 'THAWED');
    this.blame.wasStill(null, from, monotonicMs());
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
    return processesWith(`CHAOS_RUN=${this.token}`);
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
    this.#killAll();
    while (this.processes().length > 0) await pause(50);
    if (this.#mount !== null) execFileSync('umount', [this.#mount]);
    this.#mount = null;
    if (this.#freezer !== null) await removeFreezer(this.#freezer);
    this.#freezer = null;
    removeFolder(this.folder);
  }

  /** Where the run ends before its time: what is frozen cannot be killed, and what is mounted cannot be removed. */
  #giveUp() {
    if (this.#freezer !== null) writeFileSync(path.join(this.#freezer, 'freezer.state'), 'THAWED');
    this.#killAll();
    if (this.#mount !== null) execFileSync('umount', ['--lazy', this.#mount]);
    for (let tries = 0; this.#freezer !== null && tries < 50; tries++) {
      try {
        rmdirSync(this.#freezer);
        return;
      } catch {
        // Its processes are about to end.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
      }
    }
  }

  #killAll() {
    for (const pid of [...this.#guests, ...this.processes()]) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has gone.
      }
    }
  }
}
