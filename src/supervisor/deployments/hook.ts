/**
 * Runs a command of the owner's, such as `beforeReload`, and tells whether it went well. Its output goes to the log.
 *
 * Called by the supervisor. Owns the process group of the command until it has ended. Must never log the environment.
 */
import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { type Line, LineSplitter } from '../../logs/lines/lines.js';
import type { Log } from '../../logs/logger.js';
import { spawning } from '../../spawn.js';

export interface HookOptions {
  /** Of the option, for the log and for errors. */
  readonly name: string;
  /** For `/bin/sh -c`. */
  readonly command: string;
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly timeoutMs: number;
  readonly log: Log;
  /** Ends it early; its reason, for people, is part of the answer. */
  readonly signal?: AbortSignal;
  /** For its standard input; it may be left unread. */
  readonly input?: string;
  /** From SIGTERM to SIGKILL; 5 s if not given. */
  readonly killMs?: number;
}

/** `reason` is a sentence that begins with the hook's name; the last lines of standard error follow, each on its own. */
export type HookResult = { readonly ok: true } | { readonly ok: false; readonly reason: string };

const KILL_MS = 5_000;
/** How long the group's end is waited for after SIGKILL: a process may be stuck in the kernel, or be left unreaped. */
const REAP_MS = 500;
const GROUP_POLL_MS = 25;
/** How long the output of a command that has ended is waited for: what it left behind may hold the pipes. */
const OUTPUT_MS = 250;
const LAST_LINES = 5;
const LAST_LINE_CHARACTERS = 1_000;

/**
 * In a process group of its own. When the time is over, or at the signal, the whole group is sent SIGTERM, and SIGKILL
 * `killMs` later if any of it is left; the answer comes when it is gone. What a command that ends by itself leaves behind goes on
 * without its pipes. The command never waits for the log: lines that are too many for it are dropped and counted.
 *
 * Never rejects.
 */
export async function runHook(options: HookOptions): Promise<HookResult> {
  const { name, command, cwd, env, timeoutMs, log, signal, input, killMs = KILL_MS } = options;
  if (signal?.aborted) return { ok: false, reason: `${name} was not run: ${signal.reason}` };
  let child: ChildProcessByStdio<Writable | null, Readable, Readable>;
  try {
    const stdin = input === undefined ? ('ignore' as const) : ('pipe' as const);
    const options = { cwd, env, stdio: [stdin, 'pipe', 'pipe'] as ['pipe', 'pipe', 'pipe'], detached: true };
    child = spawning(() => spawn('/bin/sh', ['-c', command], options));
  } catch (error) {
    return { ok: false, reason: `${name} could not be run: ${(error as Error).message}` };
  }
  // Where no descriptor is left, it has no streams at all, and its fault comes as an event.
  if (!child.stdout || !child.stderr) {
    child.on('error', () => {});
    return { ok: false, reason: `${name} could not be run: the system has no file descriptor left for its output` };
  }
  // Who does not read it closes it.
  child.stdin?.on('error', () => {}).end(input);
  const output = captureHook(child, log, name);

  let cutShort: string | null = null;
  let killTimer: NodeJS.Timeout | undefined;
  const end = (why: string) => {
    cutShort ??= why;
    if (killTimer !== undefined) return;
    signalGroup(child, 'SIGTERM');
    killTimer = setTimeout(() => signalGroup(child, 'SIGKILL'), killMs);
  };
  const stopped = () => end(`was ended: ${signal?.reason}`);
  const timer = setTimeout(() => end(`did not end within ${timeoutMs / 1000} s`), timeoutMs);
  signal?.addEventListener('abort', stopped, { once: true });

  const how = await outcome(child, cwd);
  clearTimeout(timer);
  signal?.removeEventListener('abort', stopped);
  // The shell is often the first to go: what it has started has its 5 s all the same.
  if (cutShort !== null) await groupGone(child, killMs);
  clearTimeout(killTimer);
  child.stdin?.destroy();
  const lastLines = await output.finish();
  const failure = cutShort ?? how;
  if (failure === null) return { ok: true };
  const last = lastLines.length === 0 ? '' : `; the last it wrote:\n${lastLines.join('\n')}`;
  return { ok: false, reason: `${name} ${failure}${last}` };
}

/** What went wrong, or null; once the shell has ended or could not begin. */
function outcome(child: ChildProcess, cwd: string): Promise<string | null> {
  return new Promise((resolve) => {
    child.on('error', (error) => {
      // Node names the program also where it is the working folder that is missing.
      resolve(`could not be run: ${existsSync(cwd) ? error.message : `there is no folder ${cwd}`}`);
    });
    child.once('exit', (code, killedBy) => {
      if (code === 0) resolve(null);
      else resolve(killedBy === null ? `ended with exit code ${code}` : `was ended by ${killedBy}`);
    });
  });
}

/** Logs line by line. `finish` waits a little for what is still in the pipes, and returns the last lines of stderr. */
function captureHook(child: ChildProcess, log: Log, name: string): { finish(): Promise<readonly string[]> } {
  const logger = log.logger.child({ hook: name }, { level: 'trace' });
  const lastLines: string[] = [];
  let dropped = 0;
  /** What room is left then is for those who can tell it once only: the supervisor itself. */
  const tell = (act: () => void) => {
    if (log.writable()) act();
    else dropped += 1;
  };
  const fields = ({ continued }: Line) => (continued ? { continued } : {});
  const outputs = [
    eachLine(child.stdout, (line) => tell(() => logger.info({ stream: 'stdout', ...fields(line) }, line.text))),
    eachLine(child.stderr, (line) => {
      tell(() => logger.warn({ stream: 'stderr', ...fields(line) }, line.text));
      if (line.text.trim() === '') return;
      if (lastLines.push(line.text.slice(0, LAST_LINE_CHARACTERS)) > LAST_LINES) lastLines.shift();
    }),
  ];
  return {
    async finish() {
      const patience = new AbortController();
      const waited = delay(OUTPUT_MS, undefined, { signal: patience.signal }).catch(() => {});
      await Promise.race([Promise.all(outputs.map(({ ended }) => ended)), waited]);
      patience.abort();
      for (const { close } of outputs) close();
      if (dropped > 0) logger.warn({ dropped }, 'lines of a hook dropped');
      return lastLines;
    },
  };
}

/** @param stream not there when the process could not be made for want of descriptors, whatever its type says */
function eachLine(stream: Readable | null | undefined, onLine: (line: Line) => void) {
  if (stream == null) return { ended: Promise.resolve(), close: () => {} };
  const splitter = new LineSplitter();
  let closed = false;
  const flush = () => {
    for (let line = splitter.next(); line !== undefined; line = splitter.next()) onLine(line);
  };
  const close = () => {
    if (closed) return;
    closed = true;
    splitter.end();
    flush();
    stream.destroy();
  };
  stream.on('data', (chunk: Buffer) => {
    if (closed) return;
    splitter.push(chunk);
    flush();
  });
  // Always followed by 'close'.
  stream.on('error', () => {});
  const ended = new Promise<void>((resolve) => {
    stream.once('close', () => {
      close();
      resolve();
    });
  });
  return { ended, close };
}

/** Resolves when no process of the group is left, or when nothing more can be done about it. */
async function groupGone(child: ChildProcess, killMs: number): Promise<void> {
  const deadline = performance.now() + killMs + REAP_MS;
  while (performance.now() < deadline && signalGroup(child, 0)) await delay(GROUP_POLL_MS);
}

/**
 * The group's number is the shell's, and no other process gets it as long as any of the group is left: setpgid(2), kill(2).
 *
 * @param signal 0 only asks
 * @returns whether there was anybody to send it to
 */
function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals | 0): boolean {
  if (pid === undefined) return false;
  try {
    return process.kill(-pid, signal);
  } catch {
    return false;
  }
}
