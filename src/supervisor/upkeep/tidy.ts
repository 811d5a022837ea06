/**
 * Gives memory back after work. V8 collects when it needs room, and a supervisor that is idle for days never does: what
 * a rollout has left behind would stay, and the heap would grow with every one of them.
 */
import v8 from 'node:v8';
import type { Native, NativeLoad } from '../../native/libc.js';
import { boundYoungGeneration } from './young-generation.js';

type Collect = (how: { type: 'major'; execution: 'sync'; flavor: 'last-resort' }) => unknown;

let collect: Collect | undefined;

/** Once what is being done is done: the worker processes are as they will stay for a while. */
export function tidySoon(native: NativeLoad): void {
  setImmediate(() => {
    tidyUp(native.ok ? native.native : null);
    boundYoungGeneration();
  });
}

/**
 * A full collection of a heap of this size takes some ten milliseconds; done when nothing else is.
 *
 * @param native null: what is beside V8's heap stays
 */
export function tidyUp(native: Pick<Native, 'trimMemory'> | null): void {
  if (collect === undefined) {
    v8.setFlagsFromString('--expose-gc');
    // Not before the workers are up: it takes a moment to load.
    collect = process.getBuiltinModule('node:vm').runInNewContext('gc') as Collect;
    v8.setFlagsFromString('--no-expose-gc');
  }
  // As when memory runs out: an ordinary collection keeps the pages that it has emptied, several megabytes here.
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  native?.trimMemory();
}
