/** Tells those who follow it what happens in the supervisor. Where nobody does, nothing is compared and nothing kept. */
import type { State } from '../../core/state/types.js';
import type { SupervisorEvent } from '../../protocol/events.js';
import { type Ending, type EventWithoutId, eventsBetween, type Sight, sightOf } from './changes.js';

const UNTOLD: Ending = { code: null, signal: null, crashed: false };
const ENDINGS: ReadonlySet<string> = new Set(['worker exited', 'worker crashed']);

type Reader = (event: SupervisorEvent) => void;

export class EventHub {
  readonly #name: string;
  readonly #state: () => State;
  readonly #readers = new Set<Reader>();
  readonly #endings = new Map<number, Ending>();
  #last: Sight | null = null;
  #id = 0;

  constructor(name: string, state: () => State) {
    this.#name = name;
    this.#state = state;
  }

  /** @param onEvent told of how things are at once. Must not throw or wait */
  follow(onEvent: Reader): () => void {
    // The others hear first of what the snapshot has already.
    this.review(this.#state());
    const snapshot = this.#last ?? sightOf(this.#name, this.#state());
    this.#last = snapshot;
    this.#readers.add(onEvent);
    onEvent({ id: this.#id, type: 'snapshot', ...snapshot });
    return () => {
      this.#readers.delete(onEvent);
      if (this.#readers.size > 0) return;
      this.#last = null;
      this.#endings.clear();
    };
  }

  review(state: State): void {
    if (this.#last === null) return;
    const before = this.#last;
    this.#last = sightOf(this.#name, state);
    for (const one of eventsBetween(before, this.#last, (worker) => this.#endings.get(worker) ?? UNTOLD))
      this.#tell(one);
    this.#endings.clear();
  }

  /** What the core says of a worker's end is no longer in its state when that is looked at. */
  reported(message: string, fields: Readonly<Record<string, unknown>>): void {
    if (this.#last === null || !ENDINGS.has(message)) return;
    const { worker, code, signal } = fields;
    if (typeof worker !== 'number') return;
    this.#endings.set(worker, {
      code: typeof code === 'number' ? code : null,
      signal: typeof signal === 'string' ? signal : null,
      crashed: message === 'worker crashed',
    });
  }

  #tell(one: EventWithoutId): void {
    this.#id += 1;
    const event = { id: this.#id, ...one } as SupervisorEvent;
    for (const onEvent of [...this.#readers]) onEvent(event);
  }
}
