/** The end of a worker that has lost its supervisor, and that nobody has come for: what the supervisor would have it do. */
import type { EndTerms } from '../outlive/outlive.js';
import type { Drain } from './drain.js';

/** Kept from the start: applications replace it. */
const startTimer = setTimeout;

/** It drains, is asked to end as by the supervisor, and is killed where it does not. */
export function endAlone(drain: Drain, terms: EndTerms): void {
  const { drainTimeoutMs: windowMs, spreadMs, killTimeoutMs, sayShutdown, takesChildren } = terms;
  const signal = (name: NodeJS.Signals) => {
    try {
      process.kill(takesChildren ? -process.pid : process.pid, name);
    } catch {
      // It leads no group.
      process.kill(process.pid, name);
    }
  };
  let ending = false;
  const end = () => {
    if (ending) return;
    ending = true;
    drain.end();
    signal('SIGTERM');
    // Whatever it does on that: nobody else is there to end it. An end of its own is not waited for.
    startTimer(() => signal('SIGKILL'), killTimeoutMs).unref();
  };
  drain.onDrained = end;
  drain.begin({
    ...{ cmd: 'NODE_HOLDFAST', type: 'drain', emptyQueue: true, reason: 'stopping', recipients: false, heirs: false },
    ...{ windowMs, spreadMs, sayShutdown },
  });
  if (drain.isDrained) end();
  startTimer(end, windowMs).unref();
}
