/** Passes the events of a supervisor on to a program, until there are no more. */
import { HoldfastError } from '../errors.js';
import type { SupervisorEvent } from '../protocol/events.js';

/**
 * A program whose event loop stood still for long is cut off, and connects again: it goes on with a snapshot.
 *
 * @param connect begins anew
 * @param tell what it throws is the program's own
 */
export async function passOn(
  connect: () => AsyncGenerator<SupervisorEvent, void, void>,
  tell: (event: SupervisorEvent) => void,
): Promise<void> {
  let events = connect();
  for (;;) {
    let next: IteratorResult<SupervisorEvent, void>;
    try {
      next = await events.next();
    } catch (error) {
      // Else it has ended, and `ended` says how.
      if (!(error instanceof HoldfastError && error.code === 'CUT_OFF')) return;
      events = connect();
      continue;
    }
    if (next.done) return;
    tell(next.value);
  }
}
