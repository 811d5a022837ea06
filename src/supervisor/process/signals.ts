/** The supervisor's signals: part of the interface. */
import type { Log } from '../../logs/logger.js';
import type { Supervisor } from '../supervisor.js';

/**
 * How often it is asked whether the terminal is still there: often enough that nobody has asked for a reload yet after it has gone,
 * and rarely enough that it cannot be measured.
 */
const LOOK_MS = 5_000;

export interface SignalOptions {
  /** Ends whoever has listened until now. @returns what has come meanwhile, and is to be done by `begin` */
  readonly takeOver: () => readonly NodeJS.Signals[];
  /** Whether the terminal that this was started in has been closed; null where it was started in none. */
  readonly isTerminalGone: (() => boolean) | null;
  /** Told of a reload that a signal has asked for: whoever sent it may wait for its end. */
  readonly onReload: (reload: () => Promise<unknown>) => void;
  /** Told of a second stop: nothing is to be waited for any more. */
  readonly onStopNow: () => void;
}

/**
 * @returns `begin` is called once the supervisor has been started, `end` when there is nothing left to ask of it: the
 *   listeners stay, as without them a signal would end the process with its default, or open an inspector
 */
export function handleSignals(supervisor: Supervisor, log: Log, options: SignalOptions) {
  const quiet = () => {};
  let ended = false;
  const stop = (signal: NodeJS.Signals) => {
    log.logger.info({ signal }, supervisor.stopping ? 'stopping at once' : 'stop asked for');
    if (supervisor.stopping) {
      supervisor.stopNow();
      options.onStopNow();
    } else void supervisor.stop(quiet);
  };
  let terminal = options.isTerminalGone;
  const looks = watchTerminal(terminal, () => {
    terminal = null;
    log.logger.info({ hint: 'SIGHUP reloads' }, 'terminal closed: the supervisor outlives it');
  });
  const hangUp = (signal: NodeJS.Signals) => {
    if (terminal?.()) {
      // The kernel says so, and the shell once more.
      if (supervisor.stopping) return;
      log.logger.info({ signal }, 'terminal closed: stop asked for');
      void supervisor.stop(quiet);
    } else {
      log.logger.info({ signal }, 'reload asked for');
      options.onReload(() => supervisor.reload(quiet));
    }
  };
  const handlers: Partial<Record<NodeJS.Signals, (signal: NodeJS.Signals) => void>> = {
    SIGTERM: stop,
    SIGINT: stop,
    SIGQUIT: stop,
    SIGHUP: hangUp,
    SIGTTIN: () => void supervisor.scale('+1', quiet),
    SIGTTOU: () => void supervisor.scale('-1', quiet),
    SIGUSR1: () => log.reopen(),
    SIGUSR2: (signal) => {
      log.logger.info({ signal }, 'upgrade asked for');
      void supervisor.upgrade(quiet);
    },
  };
  const handle = (signal: NodeJS.Signals) => {
    if (!ended) handlers[signal]?.(signal);
  };
  for (const signal of Object.keys(handlers)) process.on(signal, handle);
  const waiting = options.takeOver();
  return {
    begin: () => waiting.forEach(handle),
    end: () => {
      ended = true;
      clearInterval(looks);
    },
  };
}

/**
 * A shell that ends leaves what it was told to leave (`disown`), or what runs in the background, without a word. Who has heard
 * nothing from one look to the next was not meant, and any later SIGHUP comes from somebody else.
 */
function watchTerminal(isGone: (() => boolean) | null, onOutlived: () => void): NodeJS.Timeout | undefined {
  if (isGone === null) return undefined;
  let wasGone = false;
  const looks = setInterval(() => {
    const gone = isGone();
    if (gone && wasGone) {
      clearInterval(looks);
      onOutlived();
    }
    wasGone = gone;
  }, LOOK_MS).unref();
  return looks;
}
