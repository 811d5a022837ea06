/**
 * Runs the built holdfast as a user would, and ends what it started by PID, also when the test fails.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { type Client, connect, type Task } from '../../../src/api/client.js';
import type { SupervisorStatus } from '../../../src/protocol/status.js';

export const root = fileURLToPath(new URL('../../../', import.meta.url));
export const bin = path.join(root, 'bin/holdfast.js');
export const apps = path.join(root, 'test/fixtures/apps');

export interface LogLine {
  readonly msg: string;
  readonly level: string;
  readonly time: string;
  readonly [field: string]: unknown;
}

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface StartOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly runtimeDir?: string;
  /** What runs it: `unshare` and its options. Its PIDs may then be of another namespace, and are left alone. */
  readonly wrapper?: readonly string[];
  /** File descriptors that it is given, from 3 on. */
  readonly fds?: readonly number[];
  /** Options of node for holdfast itself. */
  readonly nodeArgs?: readonly string[];
  /** The trial of a new release; null for the default. None by default: most tests reload often, and are not about it. */
  readonly trial?: string | null;
  /** Another holdfast than the one that is built here. */
  readonly bin?: string;
}

/**
 * Command and arguments that run this very Node without what the test runner puts into the environment of every child:
 * its loader would reach the supervisor and the workers.
 */
export function plainly(args: readonly string[], extra: Readonly<Record<string, string>> = {}): [string, string[]] {
  const kept = ['PATH', 'HOME', 'LANG', 'TMPDIR', 'TERM', 'USER'];
  const inherited = kept.flatMap((name) => (process.env[name] === undefined ? [] : [`${name}=${process.env[name]}`]));
  const added = Object.entries(extra).map(([name, value]) => `${name}=${value}`);
  return ['env', ['-i', ...inherited, ...added, process.execPath, ...args]];
}

/** What Node says of timers in the past and of listeners that are never taken back. */
const OWN_WARNING = /^\(node:\d+\) (?:Timeout\w+|MaxListenersExceeded)Warning/;

export function makeRuntimeDir(t: Test): string {
  // Not t.testdir(): its paths are longer than the name of a unix socket may be.
  const dir = mkdtempSync(path.join(os.tmpdir(), 'hf-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** One holdfast command, to its end. */
export async function run(args: readonly string[], options: StartOptions = {}): Promise<Outcome> {
  const env = { ...options.env, ...(options.runtimeDir && { HOLDFAST_RUNTIME_DIR: options.runtimeDir }) };
  const child = spawn(...plainly([...(options.nodeArgs ?? []), bin, ...args], env), {
    cwd: options.cwd ?? root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

export class Holdfast {
  readonly child: ChildProcess;
  readonly runtimeDir: string;
  readonly log: LogLine[] = [];
  stderr = '';
  readonly closed: Promise<number | null>;
  readonly #watchers = new Set<() => void>();
  readonly #isForeign: boolean;
  #ended = false;

  constructor(t: Test, script: string, options: StartOptions = {}) {
    this.runtimeDir = options.runtimeDir ?? makeRuntimeDir(t);
    // Most tests are not about it, and some kill a supervisor: nothing is to be left of those.
    const env = { HOLDFAST_ORPHAN_TIMEOUT: '0', ...options.env, HOLDFAST_RUNTIME_DIR: this.runtimeDir };
    const node = options.nodeArgs ?? [];
    const trial = options.trial === undefined ? '0' : options.trial;
    const chosen = ['--log-format', 'json', ...(trial === null ? [] : ['--trial', trial]), ...(options.args ?? [])];
    const args = [...node, options.bin ?? bin, 'start', script, ...chosen];
    const [command, words] = plainly(args, env);
    const [first = command, ...rest] = [...(options.wrapper ?? []), command, ...words];
    this.#isForeign = options.wrapper !== undefined;
    this.child = spawn(first, rest, {
      cwd: options.cwd ?? root,
      stdio: ['ignore', 'pipe', 'pipe', ...(options.fds ?? [])],
    });
    const { stdout, stderr } = this.child;
    if (stdout === null || stderr === null) throw new Error('no output streams');
    createInterface({ input: stdout }).on('line', (line) => {
      const told = JSON.parse(line) as LogLine;
      // No test application gives Node a reason for it: a preload has, and it shows in the application's output.
      if (OWN_WARNING.test(told.msg)) t.fail(told.msg);
      this.log.push(told);
      for (const look of this.#watchers) look();
    });
    stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    // A test that is cut off by its time limit gets no teardown.
    const lastResort = () => this.child.kill('SIGKILL');
    process.once('exit', lastResort);
    this.closed = once(this.child, 'close').then(([code]) => {
      process.removeListener('exit', lastResort);
      this.#ended = true;
      for (const look of this.#watchers) look();
      return code as number | null;
    });
    t.teardown(() => this.end());
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** The first line from `from` on that fits; waits for it. Rejects when the supervisor ends before. */
  line(fits: (line: LogLine) => boolean, from = 0): Promise<LogLine> {
    return new Promise((resolve, reject) => {
      let at = from;
      const look = () => {
        for (; at < this.log.length; at++) {
          const line = this.log[at];
          if (line === undefined || !fits(line)) continue;
          this.#watchers.delete(look);
          resolve(line);
          return;
        }
        if (!this.#ended) return;
        this.#watchers.delete(look);
        reject(new Error(`the supervisor ended before the line came:\n${this.tail()}`));
      };
      this.#watchers.add(look);
      look();
    });
  }

  message(msg: string, from = 0): Promise<LogLine> {
    return this.line((line) => line.msg === msg, from);
  }

  lines(msg: string): LogLine[] {
    return this.log.filter((line) => line.msg === msg);
  }

  tail(): string {
    return `${this.log
      .slice(-40)
      .map((line) => JSON.stringify(line))
      .join('\n')}\n${this.stderr}`;
  }

  run(...args: string[]): Promise<Outcome> {
    return run(args, { runtimeDir: this.runtimeDir });
  }

  // What follows is asked over the control socket from here: a command of its own takes as long to boot as a worker does. Tests
  // that are about commands run those.

  async status(): Promise<SupervisorStatus> {
    return (await connect({ runtimeDir: this.runtimeDir })).status();
  }

  /** Once nobody is on the way out any more: a reload ends when those that follow serve. */
  async settled(): Promise<SupervisorStatus> {
    for (;;) {
      const status = await this.status();
      if (status.workers.every(({ state }) => state === 'starting' || state === 'ready')) return status;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** As the command of that name; of its errors the text is that of the client. */
  reload(): Promise<Outcome> {
    return this.#ask((client) => client.reload());
  }

  restart(): Promise<Outcome> {
    return this.#ask((client) => client.restart());
  }

  scale(change: number | string): Promise<Outcome> {
    return this.#ask((client) => client.scale(change));
  }

  stop(): Promise<Outcome> {
    return this.#ask((client) => client.stop());
  }

  async #ask(request: (client: Client) => Task): Promise<Outcome> {
    try {
      const { message } = await request(await connect({ runtimeDir: this.runtimeDir }));
      return { code: 0, stdout: message, stderr: '' };
    } catch (error) {
      return { code: 1, stdout: '', stderr: String(error) };
    }
  }

  /** The port of its first address. */
  async port(): Promise<number> {
    await this.message('started');
    const [address] = (await this.status()).addresses;
    if (address === undefined) throw new Error('it listens on nothing');
    return address.port;
  }

  /** Asks it to stop and waits; by force when it does not. */
  async end(): Promise<void> {
    if (this.#ended) return;
    const workers = this.log.filter((line) => line.msg === 'worker started').map((line) => Number(line.pid));
    const force = setTimeout(() => {
      this.child.kill('SIGKILL');
      if (!this.#isForeign) for (const pid of workers) killQuietly(pid);
    }, 10_000);
    this.child.kill('SIGTERM');
    this.child.kill('SIGTERM');
    await this.closed;
    clearTimeout(force);
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has gone by itself.
  }
}
