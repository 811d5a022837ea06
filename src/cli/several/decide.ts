/**
 * What the parent of several supervisors does about what it is told. Pure: a state and an event in, a state and what is to be done out.
 *
 * It ends when all have ended; with the first that fails it stops the others.
 */
import { EXIT, type ExitCode } from '../../errors.js';

/**
 * `booting`: a signal that it does not handle yet would end it. `running`: it has said something, and so handles signals by
 * now.
 */
export type ChildState = 'booting' | 'running' | 'ended';

export interface ParentState {
  readonly children: Readonly<Record<string, ChildState>>;
  /** Signals that wait until the child can take them. */
  readonly waiting: Readonly<Record<string, readonly NodeJS.Signals[]>>;
  /** Somebody has asked for the end, or one has failed. */
  readonly isStopping: boolean;
  /** What the first failure ended with. */
  readonly failure: ExitCode | null;
}

export type ParentEvent =
  | { readonly type: 'saidSomething'; readonly name: string }
  | {
      readonly type: 'ended';
      readonly name: string;
      readonly code: number | null;
      readonly signal: NodeJS.Signals | null;
    }
  | { readonly type: 'couldNotStart'; readonly name: string; readonly reason: string }
  | { readonly type: 'signalled'; readonly signal: NodeJS.Signals }
  /** SIGHUP of a terminal that has been closed: no request for a reload. */
  | { readonly type: 'terminalClosed' };

export type ParentEffect =
  | { readonly do: 'signal'; readonly name: string; readonly signal: NodeJS.Signals }
  | { readonly do: 'tell'; readonly text: string }
  | { readonly do: 'end'; readonly exitCode: ExitCode };

export interface Decision {
  readonly state: ParentState;
  readonly effects: readonly ParentEffect[];
}

const ENDING: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGQUIT'];
/** What these ask of a supervisor that begins can wait; what the others ask for is under way then. */
const CAN_WAIT: readonly NodeJS.Signals[] = ['SIGTTIN', 'SIGTTOU'];
/** A shell's code for who was ended by one of them: 128 and its number, signal(7). */
const CODES_OF_A_STOP: readonly number[] = [129, 130, 131, 143];
/** More than there can be slots mean nothing. */
const MOST_WAITING = 256;

export function beginning(names: readonly string[]): ParentState {
  return {
    children: Object.fromEntries(names.map((name) => [name, 'booting'])),
    waiting: {},
    isStopping: false,
    failure: null,
  };
}

export function decide(state: ParentState, event: ParentEvent): Decision {
  switch (event.type) {
    case 'saidSomething':
      return saidSomething(state, event.name);
    case 'signalled':
      return ENDING.includes(event.signal) ? stop(state, event.signal) : passOn(state, event.signal);
    case 'terminalClosed':
      // The kernel says so, and the shell once more.
      return state.isStopping ? { state, effects: [] } : stop(state, 'SIGTERM');
    case 'couldNotStart':
      return ended(state, event.name, { failed: EXIT.failed, how: `could not be started: ${event.reason}` });
    case 'ended':
      return ended(state, event.name, outcomeOf(state, event));
  }
}

function saidSomething(state: ParentState, name: string): Decision {
  if (state.children[name] !== 'booting') return { state, effects: [] };
  const { [name]: signals = [], ...waiting } = state.waiting;
  const children = { ...state.children, [name]: 'running' as const };
  return { state: { ...state, children, waiting }, effects: signals.map((signal) => ({ do: 'signal', name, signal })) };
}

/** A second one stops at once: the supervisors know that by themselves. */
function stop(state: ParentState, signal: NodeJS.Signals): Decision {
  return {
    state: { ...state, isStopping: true },
    effects: alive(state).map((name) => ({ do: 'signal', name, signal })),
  };
}

function passOn(state: ParentState, signal: NodeJS.Signals): Decision {
  const effects: ParentEffect[] = [];
  const waiting = { ...state.waiting };
  for (const name of alive(state)) {
    if (state.children[name] === 'running') effects.push({ do: 'signal', name, signal });
    else if (CAN_WAIT.includes(signal)) waiting[name] = [...(waiting[name] ?? []), signal].slice(-MOST_WAITING);
  }
  return { state: { ...state, waiting }, effects };
}

interface Outcome {
  /** null where all is well. */
  readonly failed: ExitCode | null;
  readonly how: string;
}

function outcomeOf(
  { isStopping }: ParentState,
  { code, signal }: Extract<ParentEvent, { readonly type: 'ended' }>,
): Outcome {
  if (code === 0) return { failed: null, how: 'has ended' };
  // It was told to end before it could say anything.
  if (isStopping && (signal === null ? CODES_OF_A_STOP.includes(code ?? -1) : ENDING.includes(signal))) {
    return { failed: null, how: 'has ended' };
  }
  const isOurs = code === EXIT.usage || code === EXIT.noSupervisor;
  return {
    failed: isOurs ? code : EXIT.failed,
    how: signal === null ? `has ended with ${code}` : `was ended by ${signal}`,
  };
}

function ended(state: ParentState, name: string, { failed, how }: Outcome): Decision {
  if (state.children[name] === 'ended') return { state, effects: [] };
  const { [name]: _, ...waiting } = state.waiting;
  const isFirst = failed !== null && state.failure === null;
  const next: ParentState = {
    children: { ...state.children, [name]: 'ended' },
    waiting,
    isStopping: state.isStopping || failed !== null,
    failure: state.failure ?? failed,
  };
  const left = alive(next);
  const effects: ParentEffect[] = [];
  if (left.length === 0) {
    if (failed !== null) effects.push({ do: 'tell', text: `${name} ${how}` });
    effects.push({ do: 'end', exitCode: next.failure ?? EXIT.done });
  } else if (isFirst && !state.isStopping) {
    effects.push({ do: 'tell', text: `${name} ${how}: stopping ${left.join(', ')}` });
    effects.push(...left.map((other) => ({ do: 'signal', name: other, signal: 'SIGTERM' }) as const));
  } else {
    const goOn = state.isStopping ? 'not yet' : left.length === 1 ? 'goes on' : 'go on';
    effects.push({ do: 'tell', text: `${name} ${how}; ${left.join(', ')} ${goOn}` });
  }
  return { state: next, effects };
}

function alive({ children }: ParentState): string[] {
  return Object.keys(children).filter((name) => children[name] !== 'ended');
}
