/** The supervisor's signals: part of the interface. */
import type { Log } from '../logs/logger.js';
import type { Supervisor } from './supervisor.js';

/**
 * @param onReload told of a reload that a signal has asked for: whoever sent it may wait for its end
 * @returns a function that takes the listeners away again
 */
export function handleSignals(
  supervisor: Supervisor,
  log: Log,
  onReload: (reload: () => Promise<unknown>) => void,
): () => void {
  const quiet = () => {};
  const stop = (signal: NodeJS.Signals) => {
    log.logger.info({ signal }, supervisor.stopping ? 'stopping at once' : 'stop asked for');
    if (supervisor.stopping) supervisor.stopNow();
    else void supervisor.stop(quiet);
  };
  const handlers: Partial<Record<NodeJS.Signals, (signal: NodeJS.Signals) => void>> = {
    SIGTERM: stop,
    SIGINT: stop,
    SIGQUIT: stop,
    SIGHUP: () => onReload(() => supervisor.reload(quiet)),
    SIGTTIN: () => void supervisor.scale('+1', quiet),
    SIGTTOU: () => void supervisor.scale('-1', quiet),
    SIGUSR1: () => log.reopen(),
    // Without a listener it would end the supervisor.
    SIGUSR2: (signal) => log.logger.warn({ signal }, 'signal ignored: a running supervisor cannot be replaced'),
  };
  for (const [signal, handler] of Object.entries(handlers)) process.on(signal, handler);
  return () => {
    for (const [signal, handler] of Object.entries(handlers)) process.removeListener(signal, handler);
  };
}
