/**
 * The state of the live view: what is known, what is looked at, what is asked. `update` takes what has happened (an answer, a
 * key, the time) and says what is to be done. Pure.
 */
import type { ListedSupervisor } from '../../../control/client/find.js';
import type { SupervisorStatus } from '../../../protocol/status.js';
import { type History, NO_HISTORY, observe } from './history.js';
import { COLUMNS, type Order, type Row, rowsOf, type SortKey } from './rows.js';

export interface State extends Order {
  readonly page: 'list' | 'workers' | 'worker';
  /** Several supervisors ran at the beginning, so that there is a list to go back to. */
  readonly hasList: boolean;
  readonly listed: readonly ListedSupervisor[];
  /** In the list. */
  readonly pickedName: string | null;
  /** Whose workers are looked at; null for the list. */
  readonly name: string | null;
  readonly link: Link;
  readonly history: History;
  readonly logs: readonly string[];
  /** Why there are none. */
  readonly logProblem: string | null;
  readonly chosen: { readonly id: number; readonly slot: number } | null;
  /** The filter while it is typed. */
  readonly typed: string | null;
  readonly question: Question | null;
  readonly action: Action | null;
  readonly help: boolean;
  readonly nowMs: number;
}

/** `late`: it runs, and does not answer in time. `up`: since its last answer. */
export interface Link {
  readonly state: 'asking' | 'up' | 'late' | 'gone';
  readonly sinceMs: number;
  /** When it answered again, having been gone. */
  readonly backAtMs?: number;
}

export type Question = { readonly verb: 'reload' } | { readonly verb: 'scale'; readonly to: number };

export interface Action {
  readonly verb: 'reload' | 'scale';
  readonly sinceMs: number;
  /** What was told last. */
  readonly step: string | null;
  readonly result: { readonly ok: boolean; readonly text: string; readonly atMs: number } | null;
}

export type TopEvent =
  | { readonly type: 'key'; readonly key: string }
  | { readonly type: 'listed'; readonly listed: readonly ListedSupervisor[] }
  | { readonly type: 'status'; readonly status: SupervisorStatus }
  | { readonly type: 'silent'; readonly gone: boolean }
  | { readonly type: 'logsBegan' }
  | { readonly type: 'logs'; readonly lines: readonly string[] }
  | { readonly type: 'logsFailed'; readonly reason: string }
  | { readonly type: 'step'; readonly text: string }
  | { readonly type: 'result'; readonly ok: boolean; readonly text: string }
  | { readonly type: 'tick' };

export type Effect =
  | { readonly do: 'quit' | 'redraw' | 'suspend' | 'list' }
  | { readonly do: 'watch'; readonly name: string }
  | { readonly do: 'reload' }
  | { readonly do: 'scale'; readonly to: number };

export interface Outcome {
  readonly state: State;
  readonly effects: readonly Effect[];
}

/** How many log lines are kept. */
const LOG_LINES = 500;
const LONGEST_FILTER = 60;
/** As the configuration allows. */
const MOST_WORKERS = 256;
/** How long a result stands. */
const RESULT_MS = 15_000;
const PAGE = 10;

/** @param name whose workers are looked at; null for the list of all */
export function begin(name: string | null, nowMs: number): State {
  return {
    page: name === null ? 'list' : 'workers',
    hasList: name === null,
    ...{ listed: [], pickedName: null, name, link: { state: 'asking', sinceMs: nowMs } },
    ...{ history: NO_HISTORY, logs: [], logProblem: null, chosen: null },
    ...{ sort: 'slot', reversed: false, filter: '', typed: null },
    ...{ question: null, action: null, help: false, nowMs },
  };
}

export function update(before: State, event: TopEvent, nowMs: number): Outcome {
  const state = { ...before, nowMs };
  switch (event.type) {
    case 'key':
      return press(state, event.key);
    case 'listed':
      return only({ ...state, listed: event.listed, link: linked(state, 'up') });
    case 'status':
      return only({ ...state, history: observe(state.history, event.status), link: linked(state, 'up') });
    case 'silent':
      return only({ ...state, link: linked(state, event.gone ? 'gone' : 'late'), question: null });
    case 'logsBegan':
      return only({ ...state, logs: [], logProblem: null });
    case 'logs':
      return only({ ...state, logs: [...state.logs, ...event.lines].slice(-LOG_LINES) });
    case 'logsFailed':
      return only({ ...state, logProblem: event.reason });
    case 'step':
      return only({ ...state, action: state.action && { ...state.action, step: event.text } });
    case 'result': {
      const { ok, text } = event;
      return only({ ...state, action: state.action && { ...state.action, result: { ok, text, atMs: nowMs } } });
    }
    case 'tick': {
      const isOver = state.action?.result != null && nowMs - state.action.result.atMs > RESULT_MS;
      return only(isOver ? { ...state, action: null } : state);
    }
  }
}

function only(state: State, ...effects: Effect[]): Outcome {
  return { state, effects };
}

function linked({ link, nowMs }: State, state: Link['state']): Link {
  const backAtMs = link.state === 'gone' ? nowMs : link.backAtMs;
  if (state === 'up') return { state, sinceMs: nowMs, ...(backAtMs !== undefined && { backAtMs }) };
  if (link.state === state) return link;
  // Since the last answer, or the first question.
  return { state, sinceMs: state === 'late' ? link.sinceMs : nowMs };
}

export function isBusy({ action }: State): boolean {
  return action !== null && action.result === null;
}

/** The rows that are to be seen, in their order, and which of them is chosen. */
export function shownRows(state: State): { readonly rows: readonly Row[]; readonly at: number } {
  const rows = rowsOf(state.history, { ...state, filter: state.typed ?? state.filter });
  const { chosen } = state;
  const exact = rows.findIndex(({ worker }) => worker.id === chosen?.id);
  // Its successor, where it has gone.
  const at = exact !== -1 ? exact : rows.findIndex(({ worker }) => worker.slot === chosen?.slot);
  return { rows, at: Math.max(0, at) };
}

export function pickedIndex({ listed, pickedName }: State): number {
  return Math.max(
    0,
    listed.findIndex(({ name }) => name === pickedName),
  );
}

function press(state: State, key: string): Outcome {
  if (key === 'CTRL_C') return only(state, { do: 'quit' });
  if (key === 'CTRL_Z') return only(state, { do: 'suspend' });
  if (key === 'CTRL_L') return only(state, { do: 'redraw' });
  if (state.question !== null) return answer(state, state.question, key);
  if (state.typed !== null) return typing(state, state.typed, key);
  if (state.help) return only({ ...state, help: false });
  if (key === 'q' || key === 'Q') return only(state, { do: 'quit' });
  if (key === '?' || key === 'h' || key === 'F1') return only({ ...state, help: true });
  return state.page === 'list' ? pressInList(state, key) : pressInWorkers(state, key);
}

function pressInList(state: State, key: string): Outcome {
  const { listed } = state;
  const at = pickedIndex(state);
  const moved = move(at, key, listed.length);
  if (moved !== null) return only({ ...state, pickedName: listed[moved]?.name ?? null });
  const name = listed[at]?.name;
  if (key !== 'ENTER' || name === undefined) return only(state);
  const fresh = { history: NO_HISTORY, logs: [], logProblem: null, chosen: null, action: null, filter: '' };
  const link: Link = { state: 'asking', sinceMs: state.nowMs };
  return only({ ...state, ...fresh, link, page: 'workers', name, pickedName: name }, { do: 'watch', name });
}

function pressInWorkers(state: State, key: string): Outcome {
  const { rows, at } = shownRows(state);
  const moved = move(at, key, rows.length);
  if (moved !== null) {
    const worker = rows[moved]?.worker;
    return only({ ...state, chosen: worker === undefined ? null : { id: worker.id, slot: worker.slot } });
  }
  switch (key) {
    case 'ENTER': {
      const worker = rows[at]?.worker;
      if (worker === undefined || state.page === 'worker') return only(state);
      return only({ ...state, page: 'worker', chosen: { id: worker.id, slot: worker.slot } });
    }
    case 'ESCAPE':
    case 'BACKSPACE':
      return back(state);
    case 's':
      return only({ ...state, sort: nextSort(state.sort, 1), reversed: false });
    case 'S':
      return only({ ...state, sort: nextSort(state.sort, -1), reversed: false });
    case 'o':
      return only({ ...state, reversed: !state.reversed });
    case '/':
    case 'f':
      return only({ ...state, page: 'workers', typed: '' });
    case 'r':
      return ask(state, { verb: 'reload' });
    case '+':
    case '-': {
      const size = state.history.status?.size ?? 0;
      return ask(state, { verb: 'scale', to: within(size + (key === '+' ? 1 : -1)) });
    }
    default:
      return only(state);
  }
}

function back(state: State): Outcome {
  if (state.page === 'worker') return only({ ...state, page: 'workers' });
  if (state.filter !== '') return only({ ...state, filter: '' });
  if (!state.hasList || isBusy(state)) return only(state);
  return only({ ...state, page: 'list', name: null, link: { state: 'asking', sinceMs: state.nowMs } }, { do: 'list' });
}

/** Nothing is asked of who is not there, and nothing while it does something already. */
function ask(state: State, question: Question): Outcome {
  if (isBusy(state) || state.link.state !== 'up' || state.history.status === null) return only(state);
  return only({ ...state, question, action: null });
}

function answer(state: State, question: Question, key: string): Outcome {
  if (question.verb === 'scale' && (key === '+' || key === '-')) {
    return only({ ...state, question: { ...question, to: within(question.to + (key === '+' ? 1 : -1)) } });
  }
  const asked = { ...state, question: null };
  if (key !== 'y' && key !== 'Y') return only(asked);
  const action: Action = { verb: question.verb, sinceMs: state.nowMs, step: null, result: null };
  const effect: Effect = question.verb === 'reload' ? { do: 'reload' } : { do: 'scale', to: question.to };
  return only({ ...asked, action }, effect);
}

function typing(state: State, typed: string, key: string): Outcome {
  if (key === 'ENTER') return only({ ...state, filter: typed.trim(), typed: null });
  if (key === 'ESCAPE') return only({ ...state, filter: '', typed: null });
  if (key === 'BACKSPACE') return only({ ...state, typed: typed.slice(0, -1) });
  const isText = key.length === 1 && key >= ' ' && key !== '\u007f';
  return only(isText && typed.length < LONGEST_FILTER ? { ...state, typed: typed + key } : state);
}

function within(size: number): number {
  return Math.min(MOST_WORKERS, Math.max(1, size));
}

/** Where a key leads; null for one that leads nowhere. */
function move(at: number, key: string, count: number): number | null {
  const steps: Readonly<Record<string, number>> = {
    ...{ UP: -1, k: -1, DOWN: 1, j: 1, PAGE_UP: -PAGE, PAGE_DOWN: PAGE },
    ...{ HOME: -count, g: -count, END: count, G: count },
  };
  const step = Object.hasOwn(steps, key) ? steps[key] : undefined;
  return step === undefined ? null : Math.max(0, Math.min(count - 1, at + step));
}

function nextSort(sort: SortKey, step: number): SortKey {
  const keys = COLUMNS.map(({ key }) => key);
  return keys.at((keys.indexOf(sort) + step + keys.length) % keys.length) ?? sort;
}
