/**
 * The first thing that the program does, before it has loaded anything else: signals that come while it starts do what they
 * are to do. Without it SIGUSR1 would open an inspector for every user of the machine, SIGTTIN stop the process, and SIGHUP
 * end it. Imports next to nothing, so that it is there at once.
 */
import { isTerminalGone, leaveTerminal } from './controlling-terminal.js';

/** Exit codes of a shell for who was ended by one of these: 128 and the signal's number, as signal(7) has them everywhere. */
const ENDING: Readonly<Partial<Record<NodeJS.Signals, number>>> = {
  SIGHUP: 129,
  SIGINT: 130,
  SIGQUIT: 131,
  SIGTERM: 143,
};
/** What they ask for can wait until there is somebody who does it. */
const WAITING: readonly NodeJS.Signals[] = ['SIGTTIN', 'SIGTTOU'];
/** The log is being opened: what they ask for is under way. */
const IGNORED: readonly NodeJS.Signals[] = ['SIGUSR1', 'SIGUSR2'];

/** This program has taken the place of a supervisor, and is not only asked whether it would. */
export const isNextImage = process.env.HOLDFAST_UPGRADE !== undefined && !process.argv.includes('--check-upgrade');

const waiting: NodeJS.Signals[] = [];
let onEnd: () => void = () => {};

const end = (signal: NodeJS.Signals) => {
  // Not of a terminal that is gone: it asks for the configuration as it is now, and an older one may have been read.
  if (signal === 'SIGHUP' && !isTerminalGone()) {
    if (!waiting.includes(signal)) keep(signal);
    return;
  }
  onEnd();
  leaveTerminal();
  process.exit(ENDING[signal]);
};
const keep = (signal: NodeJS.Signals) => {
  // More than there can be slots mean nothing.
  if (waiting.length < 256) waiting.push(signal);
};
const ignore = () => {};

const HANDLERS: readonly (readonly [NodeJS.Signals, (signal: NodeJS.Signals) => void])[] = [
  // There are workers already: what ends the supervisor has to end them.
  ...(Object.keys(ENDING) as NodeJS.Signals[]).map((signal) => [signal, isNextImage ? keep : end] as const),
  ...WAITING.map((signal) => [signal, keep] as const),
  ...IGNORED.map((signal) => [signal, ignore] as const),
];

if (process.argv[2] === 'start') for (const [signal, handler] of HANDLERS) process.on(signal, handler);

/** Has `clean` called before one of the signals ends the process. It must not wait for anything. */
export function beforeEarlyEnd(clean: () => void): void {
  onEnd = clean;
}

/** From now on somebody else listens: who has listeners of its own calls this. @returns the signals that wait, in their order */
export function takeOverSignals(): readonly NodeJS.Signals[] {
  for (const [signal, handler] of HANDLERS) process.removeListener(signal, handler);
  return waiting.splice(0);
}
