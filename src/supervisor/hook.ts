/** Runs a command of the owner's, such as `beforeReload`, and tells whether it went well. Its output goes to the log. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { type Line, LineSplitter } from '../logs/lines.js';
import type { Log } from '../logs/logger.js';

export interface HookOptions {
  /** Of the option, for the log and for errors. */
  readonly name: string;
  /** For `/bin/sh -c`. */
  readonly command: string;
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly timeoutMs: number;
  readonly log: Log;
  /** Ends it early. */
  readonly signal?: AbortSignal;
}

export type HookResult = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/** From SIGTERM to SIGKILL. */
const KILL_MS = 5_000;
/** How long the output of a command that has ended is waited for: what it left behind may hold the pipes. */
const OUTPUT_MS = 250;
const LAST_LINES = 5;

/** In a process group of its own, which is ended as a whole when the time is over. Never rejects. */
export async function runHook(options: HookOptions): Promise<HookResult> {
  const { name, command, cwd, env, timeoutMs, log, signal } = options;
  if (signal?.aborted) return { ok: false, reason: `${name} was not run: the supervisor stops` };
  const child = spawn('/bin/sh', ['-c', command], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const lastLines: string[] = [];
  const logger = log.logger.child({ hook: name });
  const outputs = [
    eachLine(child.stdout, ({ text }) => logger.info(text)),
    eachLine(child.stderr, ({ text }) => {
      logger.warn(text);
      if (lastLines.push(text) > LAST_LINES) lastLines.shift();
    }),
  ];
  let cutShort: string | null = null;
  let killTimer: NodeJS.Timeout | undefined;
  const end = (why: string) => {
    if (cutShort !== null) return;
    cutShort = why;
    signalGroup(child, 'SIGTERM');
    killTimer = setTimeout(() => signalGroup(child, 'SIGKILL'), KILL_MS);
  };
  const stopped = () => end('was ended: the supervisor stops');
  const timer = setTimeout(() => end(`did not end within ${timeoutMs / 1000} s`), timeoutMs);
  signal?.addEventListener('abort', stopped, { once: true });
  const how = await new Promise<string | null>((resolve) => {
    child.once('error', (error) => resolve(`could not be run: ${error.message}`));
    child.once('exit', (code, killedBy) => {
      if (code === 0) resolve(null);
      else resolve(killedBy === null ? `ended with exit code ${code}` : `was ended by ${killedBy}`);
    });
  });
  clearTimeout(timer);
  clearTimeout(killTimer);
  signal?.removeEventListener('abort', stopped);
  await settled(outputs);
  // What it may have left behind, where it did not end by itself.
  if (cutShort !== null) signalGroup(child, 'SIGKILL');
  child.stdout.destroy();
  child.stderr.destroy();
  const failure = cutShort ?? how;
  if (failure === null) return { ok: true };
  const last = lastLines.length === 0 ? '' : `; the last it wrote:\n${lastLines.join('\n')}`;
  return { ok: false, reason: `${name} ${failure}${last}` };
}

function eachLine(stream: Readable, onLine: (line: Line) => void): Promise<void> {
  const splitter = new LineSplitter();
  const flush = () => {
    for (let line = splitter.next(); line !== undefined; line = splitter.next()) onLine(line);
  };
  return new Promise((resolve) => {
    stream.on('data', (chunk: Buffer) => {
      splitter.push(chunk);
      flush();
    });
    stream.on('error', () => {});
    stream.once('close', () => {
      splitter.end();
      flush();
      resolve();
    });
  });
}

async function settled(outputs: readonly Promise<void>[]): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise((resolve) => {
    timer = setTimeout(resolve, OUTPUT_MS);
  });
  await Promise.race([Promise.all(outputs), patience]);
  clearTimeout(timer);
}

/** The group exists as long as any of its processes does, its number being that of the shell. */
function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // It has gone.
  }
}
