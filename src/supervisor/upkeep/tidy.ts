/**
 * Gives memory back after work. V8 collects when it needs room, and a supervisor that is idle for days never does: what
 * a rollout has left behind would stay, and the heap would grow with every one of them.
 */
import v8 from 'node:v8';
import type { Native, NativeLoad } from '../../native/libc.js';
import { boundYoungGeneration } from './young-generation.js';

/** Node 20's knows no options: whatever it is given, it collects the young generation alone. */
type Collect = (how?: { type: 'major'; execution: 'sync'; flavor: 'last-resort' }) => unknown;

const HAS_OPTIONS = Number.parseInt(process.versions.node, 10) >= 22;
/** Without them: the first empties pages, the second gives them back. */
const TIMES = 2;

/**
 * So long after the worker processes are as they will stay for a while: 64 of them still say all kinds of things then, and what
 * that takes would be kept for seconds.
 */
const SETTLED_MS = 1_000;

let collect: Collect | undefined;
let pending: NodeJS.Timeout | undefined;

/** Once what is being done is done. */
export function tidySoon(native: NativeLoad): void {
  if (pending !== undefined) {
    pending.refresh();
    return;
  }
  pending = setTimeout(() => {
    pending = undefined;
    tidyUp(native.ok ? native.native : null);
    boundYoungGeneration();
  }, SETTLED_MS).unref();
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
  if (HAS_OPTIONS) collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  else for (let i = 0; i < TIMES; i++) collect();
  native?.trimMemory();
}
