/** Starts processes by whatever part of Node's API, and leaves nothing open of one that did not start. */
import { ChildProcess } from 'node:child_process';

/** What the method gets that every start goes through. */
export interface Start {
  /** The program first. */
  readonly args?: readonly string[];
  readonly detached?: boolean;
  stdio?: unknown;
}

interface Spawns {
  /** @returns 0, or the error of libuv */
  spawn(start: Start): number;
}

/**
 * Where the last descriptors go into the streams of a process, the start fails, and Node leaves those streams open for good
 * (seen in 20 to 26: it returns early with EMFILE and ENFILE). They are closed here.
 *
 * @param start synchronous: what it starts is looked after, and nothing else
 * @param change of how the process is started: node:cluster, for example, does not pass every option on
 */
export function spawning<T>(start: () => T, change: (given: Start) => Start = (given) => given): T {
  const prototype = ChildProcess.prototype as unknown as Spawns;
  const { spawn } = prototype;
  prototype.spawn = function withCare(given) {
    // It puts the streams into what it is given.
    const own = { ...change(given) };
    const error = spawn.call(this, own);
    if (error !== 0 && !('stdout' in this)) closeAll(own.stdio);
    return error;
  };
  try {
    return start();
  } finally {
    prototype.spawn = spawn;
  }
}

/** Those that were made for the process; what somebody gave it is his. */
function closeAll(streams: unknown): void {
  if (!Array.isArray(streams)) return;
  for (const { type, handle } of streams as { type?: string; handle?: { close(): void } }[]) {
    if (type === 'pipe') handle?.close();
  }
}
