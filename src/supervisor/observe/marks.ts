/**
 * What has happened, as the page marks it in its charts and tells it in its history: reloads and scales, and what became of workers
 * and rollouts, with the reason, the last lines of a worker, and where its JavaScript hung. Of bounded size.
 */
import type { Before, State } from '../../core/state/types.js';
import type { RestartRecord } from '../../protocol/control.js';
import type { SupervisorEvent } from '../../protocol/events.js';
import type { PageMark } from '../../protocol/page.js';
import { RestartHistory } from '../insight/restart-history.js';

const MOST = 200;
/** So many of the newest have details. */
const MOST_DETAILED = 50;
const MOST_LINES = 20;
const LONGEST = 400;
const KINDS: ReadonlySet<unknown> = new Set<PageMark['kind']>(['reload', 'rolledBack', 'scale', 'recycled', 'crash']);
const UNKNOWN = 'no reason given';
/** Those are details here. */
const BEFORE_LAST_LINES = /; the last it wrote:$/;

export class Marks {
  readonly #now: () => number;
  readonly #onMark: (mark: PageMark) => void;
  readonly #history: RestartHistory;
  readonly #marks: { mark: PageMark; readonly slot: number | null }[] = [];
  #lastId = 0;
  /** Until its workers have been taken over what is found is from before. */
  #goesOn = false;

  /**
   * @param now milliseconds since 1970
   * @param onMark told of each one, and once more when there is more to tell of it
   */
  constructor(now: () => number, onMark: (mark: PageMark) => void) {
    this.#now = now;
    this.#onMark = onMark;
    this.#history = new RestartHistory(now, (record) => this.#recorded(record));
  }

  get all(): readonly PageMark[] {
    return this.#marks.map(({ mark }) => mark);
  }

  /** What the supervisor before knew is no news. */
  goOnWith(before: Pick<Before, 'slots' | 'rollout'>): void {
    this.#goesOn = true;
    this.#history.goOnWith(before, []);
  }

  /** What the supervisor before has noted; what cannot be understood is left out. */
  restore(data: unknown): void {
    if (!Array.isArray(data)) return;
    const marks = (data as unknown[]).filter(isMark).slice(-MOST);
    this.#lastId = Math.max(this.#lastId, ...marks.map(({ id }) => id));
    this.#marks.unshift(...marks.map((mark) => ({ mark, slot: null })));
  }

  /** The core has come to rest. */
  review(state: State): void {
    this.#history.review(state);
    if (state.takeover === null) this.#goesOn = false;
  }

  happened(event: SupervisorEvent): void {
    if (this.#goesOn) return;
    switch (event.type) {
      case 'rolloutBegun':
        this.#add('reload', `generation ${event.to}${event.canary === null ? '' : ', a canary first'}`);
        break;
      case 'rolloutTakenBack':
        this.#add('rolledBack', `generation ${event.to}: ${event.reason ?? UNKNOWN}`);
        break;
      case 'sizeChanged':
        this.#add('scale', `from ${event.from} to ${event.to} slots`);
        break;
    }
  }

  /** Where the worker of a slot hangs, which has been taken for crashed already. */
  hangs(slot: number, stack: readonly string[]): void {
    const found = this.#marks.findLast((one) => one.slot === slot && one.mark.kind === 'crash');
    if (found === undefined) return;
    found.mark = { ...found.mark, details: bounded(stack.map((frame) => `at ${frame}`)) };
    this.#onMark(found.mark);
  }

  #recorded({ what, slot, reason }: RestartRecord): void {
    // Rollouts are told by events, which know their generation.
    if (slot !== null)
      this.#add(what === 'recycled' ? 'recycled' : 'crash', `slot ${slot}: ${reason || UNKNOWN}`, slot);
  }

  /** @param text what follows its first line are details: the last that a worker wrote */
  #add(kind: PageMark['kind'], text: string, slot: number | null = null): void {
    this.#lastId += 1;
    const [first = '', ...rest] = text.split('\n');
    const at = this.#now() / 1000;
    const mark = {
      id: this.#lastId,
      at,
      kind,
      text: first.replace(BEFORE_LAST_LINES, '').slice(0, LONGEST),
      details: bounded(rest),
    };
    this.#marks.push({ mark, slot });
    if (this.#marks.length > MOST) this.#marks.shift();
    const old = this.#marks.at(-1 - MOST_DETAILED);
    if (old !== undefined) old.mark = { ...old.mark, details: [] };
    this.#onMark(mark);
  }
}

function isMark(value: unknown): value is PageMark {
  const { id, at, kind, text, details } = (value ?? {}) as Partial<Record<keyof PageMark, unknown>>;
  const isText = (one: unknown) => typeof one === 'string' && one.length <= LONGEST;
  const areDetails = Array.isArray(details) && details.length <= MOST_LINES && details.every(isText);
  return Number.isSafeInteger(id) && Number.isFinite(at) && KINDS.has(kind) && isText(text) && areDetails;
}

/** The last of them say most. */
function bounded(lines: readonly string[]): readonly string[] {
  return lines.slice(-MOST_LINES).map((line) => line.slice(0, LONGEST));
}
