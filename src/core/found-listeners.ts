/** What was seen of a worker that listens on nothing that it was given, in words, with what to do. Pure. */

/** A socket on which the worker, or a process that it has started, listens past the supervisor. */
export interface FoundListener {
  /** null: the worker itself. */
  readonly child: { readonly pid: number; readonly command: string | null } | null;
  readonly address: string;
}

/** As many are named. */
const MOST = 3;

/** @returns the end of a sentence about the worker; null where there is nothing to tell */
export function describeFoundListeners(listeners: readonly FoundListener[]): string | null {
  const own = listeners.filter(({ child }) => child === null).map(({ address }) => address);
  const [first] = listeners.flatMap(({ child, address }) => (child === null ? [] : [{ ...child, address }]));
  if (own.length > 0) {
    return `it listens on ${own.slice(0, MOST).join(', ')} past holdfast, from a worker thread or native code: have the main thread listen, and pass the work on to the threads`;
  }
  if (first === undefined) return null;
  const { pid, command, address } = first;
  const called = command === null ? `PID ${pid}` : `PID ${pid} (${command})`;
  return `a process that it has started, ${called}, listens on ${address}: have holdfast start that program itself`;
}
