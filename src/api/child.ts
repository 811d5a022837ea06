/**
 * Starts `holdfast start` for a program, as a process of its own: sockets in custody must not depend on the program's event loop,
 * nor on its life. It is told by the channel when the workers are ready, and hears by its end that the program has gone.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, fstatSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { plainEnvironment } from '../cli/process/node-options.js';
import { EXIT, type ExitCode, HoldfastError } from '../errors.js';
import { ownFile } from '../platform/own-package.js';
import type { Options } from './options.js';

/** What the system takes for one variable is 128 KiB: execve(2). */
const OPTIONS_LIMIT_BYTES = 120 * 1024;
/** What it says on standard error, before the workers are ready, is why they are not. */
const REASON_LIMIT_BYTES = 16 * 1024;
/** Of a service manager, which started the program and not this; and of a worker, where the program is one itself. */
const NOT_ITS_OWN = /^(?:LISTEN_(?:PID|FDS|FDNAMES)|NOTIFY_SOCKET|WATCHDOG_(?:PID|USEC))$/;
const OF_A_WORKER = /^(?:HOLDFAST_(?:NAME|SLOT|GENERATION|WORKER)|NODE_APP_INSTANCE)$/;

/** What is said of the workers that are ready. */
export interface Started {
  readonly name: string;
  readonly size: number;
  readonly ready: number;
  readonly addresses: readonly { readonly host: string; readonly port: number }[];
}

/** How it is run. */
export interface Surroundings {
  /** Of the supervisor, and so of the workers; that of the program, if not given. */
  readonly env?: NodeJS.ProcessEnv;
  /** What relative paths start from; that of the program, if not given. */
  readonly cwd?: string;
  /** Its log goes where the program's output goes, or nowhere: `logFile` and `logs()` have it all the same. */
  readonly output?: 'inherit' | 'ignore';
  /** It goes on when the program has ended: to be stopped by somebody else. Its log goes to `logFile` alone. */
  readonly outlives?: boolean;
}

/** @throws HoldfastError for options that cannot be passed on */
export function launch(options: Options, runtimeDir: string, how: Surroundings): Launched {
  const { outlives = false, output = 'inherit', cwd = process.cwd() } = how;
  const words = JSON.stringify(options);
  if (Buffer.byteLength(words) > OPTIONS_LIMIT_BYTES) {
    throw new HoldfastError(
      'CONFIG_INVALID',
      `cannot pass the options on: they are larger than ${OPTIONS_LIMIT_BYTES} bytes`,
      {
        hint: 'put environment variables into an envFile',
        exitCode: EXIT.usage,
      },
    );
  }
  const given = how.env ?? process.env;
  const isWorker = given.HOLDFAST_SLOT !== undefined;
  const kept = Object.entries(given).filter(
    ([name]) => !NOT_ITS_OWN.test(name) && !(isWorker && OF_A_WORKER.test(name)),
  );
  const env: NodeJS.ProcessEnv = {
    ...Object.fromEntries(kept),
    HOLDFAST_RUNTIME_DIR: runtimeDir,
    HOLDFAST_OPTIONS: words,
    HOLDFAST_BOND: outlives ? 'outlived' : 'bound',
  };
  const error = outlives ? openUnnamed() : null;
  try {
    const child = spawn(process.execPath, [ownFile('bin/holdfast.js'), 'start'], {
      cwd,
      // It starts without what is preloaded into the program; the workers have it.
      env: plainEnvironment(env) ?? env,
      stdio: ['ignore', outlives ? 'ignore' : output, error ?? 'pipe', 'ipc'],
      // Ctrl-C is for the program, which decides what becomes of it.
      detached: true,
    });
    return new Launched(child, error, output === 'inherit' && !outlives);
  } catch (cause) {
    if (error !== null) closeSync(error);
    throw cause;
  }
}

export class Launched {
  readonly child: ChildProcess;
  readonly started: Promise<Started>;
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  #hasStarted = false;
  #said = '';

  constructor(child: ChildProcess, error: number | null, passOn: boolean) {
    this.child = child;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      if (!this.#hasStarted) this.#said = (this.#said + text).slice(-REASON_LIMIT_BYTES);
      else if (passOn) process.stderr.write(text);
    });
    let failure: Error | null = null;
    // 'close' follows, where it could not be started as well.
    child.once('error', (cause) => {
      failure = cause;
    });
    this.ended = new Promise((resolve) => {
      child.once('close', (code, signal) => resolve({ code, signal }));
      // Once the channel to one that is to go on has been cut there is no 'close' any more; nor a pipe that could still have something.
      if (error !== null) child.once('exit', (code, signal) => resolve({ code, signal }));
    });
    this.started = new Promise((resolve, reject) => {
      child.on('message', (message: unknown) => {
        if (!isStarted(message)) return;
        this.#hasStarted = true;
        if (error !== null) closeSync(error);
        const { name, size, ready, addresses } = message;
        resolve({ name, size, ready, addresses });
      });
      void this.ended.then(({ code, signal }) => {
        if (this.#hasStarted) return;
        const said = error === null ? this.#said : readAll(error);
        reject(failure === null ? whyNot(code, signal, said) : notRun(failure));
      });
    });
    // Asked for by `start`, which may not have come to it yet.
    this.started.catch(() => {});
  }
}

function isStarted(message: unknown): message is { type: 'started' } & Started {
  return typeof message === 'object' && message !== null && 'type' in message && message.type === 'started';
}

/** As the command line would have told it. */
function whyNot(code: number | null, signal: string | null, said: string): HoldfastError {
  // The last error is why; what came before are lines of a log.
  const [, text = ''] = /(?:^|\n)holdfast: ((?:cannot |unknown )[\s\S]*)$/.exec(said) ?? [];
  const how = signal === null ? `it ended with ${code}` : `it was ended by ${signal}`;
  const message = text.trimEnd() || `cannot start the supervisor: ${how}`;
  const kind = code === EXIT.usage ? 'CONFIG_INVALID' : 'START_FAILED';
  const hint =
    text === '' ? 'its standard error says more; holdfast doctor tries what this machine supports' : undefined;
  return new HoldfastError(kind, message, { hint, exitCode: (code ?? EXIT.failed) as ExitCode });
}

function notRun(cause: Error): HoldfastError {
  const reason = (cause as NodeJS.ErrnoException).code ?? cause.message;
  return new HoldfastError('START_FAILED', `cannot start the supervisor: ${reason}`, {
    hint: 'check that the folder cwd exists, and that this user may start processes (ulimit -u)',
    cause,
  });
}

/** A file that has no name any more: it may be written to when the program has gone, and nothing is left behind. */
function openUnnamed(): number {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'holdfast-'));
  try {
    return openSync(path.join(folder, 'error'), 'wx+', 0o600);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readAll(fd: number): string {
  const size = Math.min(fstatSync(fd).size, REASON_LIMIT_BYTES);
  const bytes = Buffer.alloc(size);
  readSync(fd, bytes, 0, size, fstatSync(fd).size - size);
  closeSync(fd);
  return bytes.toString('utf8');
}
