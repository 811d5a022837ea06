/** Blocks event loops of workers, and knows that they are. */
import { setTimeout } from 'node:timers/promises';
import { askBegin } from './ask.js';

/**
 * Blocks the loops of all these slots, and perhaps of others, until the file is there.
 *
 * @returns the requests that did it, or wait behind one that did
 */
export async function block(port: number, slots: readonly number[], until: string): Promise<Promise<unknown>[]> {
  const blocked = new Set<number>();
  const requests: Promise<unknown>[] = [];
  while (slots.some((slot) => !blocked.has(slot))) {
    const { begun, answered } = askBegin(port, '/block', { 'x-until': until });
    requests.push(answered);
    begun.then(
      ({ headers }) => blocked.add(Number(headers['x-slot'])),
      () => {}, // told by `answered`
    );
    // One that came to a blocked worker's queue says nothing: the next one is sent all the same.
    await Promise.race([begun, setTimeout(20)]);
  }
  return requests;
}

/** Blocks one worker, whichever it is. */
export async function blockOne(port: number, until: string) {
  const { begun, answered } = askBegin(port, '/block', { 'x-until': until });
  const { headers } = await begun;
  return { slot: Number(headers['x-slot']), answered };
}
