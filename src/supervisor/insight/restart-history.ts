/**
 * What has become of workers and reloads of late: read from the core's state whenever it has come to rest. The core itself
 * only knows how often, and the last reason.
 */
import type { Before, State } from '../../core/state/types.js';
import type { RestartRecord } from '../../protocol/control.js';

/** The oldest are forgotten. */
const MOST = 64;

export class RestartHistory {
  readonly #records: RestartRecord[] = [];
  readonly #now: () => number;
  readonly #onRecord: (record: RestartRecord) => void;
  #slots = new Map<number, { readonly restarts: number; readonly recycled: number }>();
  #rollout: { readonly to: number; readonly state: State['rollout']['state'] } | null = null;

  /** @param now milliseconds since 1970: the times are for people */
  constructor(now: () => number = Date.now, onRecord: (record: RestartRecord) => void = () => {}) {
    this.#now = now;
    this.#onRecord = onRecord;
  }

  /** The newest last. */
  get records(): readonly RestartRecord[] {
    return [...this.#records];
  }

  /** What the supervisor before knew is no news. */
  goOnWith({ slots, rollout }: Pick<Before, 'slots' | 'rollout'>, records: readonly RestartRecord[]): void {
    this.#records.push(...records.slice(-MOST));
    this.#slots = new Map(slots.map(({ slot, restarts, recycled }) => [slot, { restarts, recycled }]));
    if (rollout !== null) this.#rollout = { state: rollout.state, to: rollout.to };
  }

  review({ slots, rollout }: State): void {
    const before = this.#slots;
    this.#slots = new Map(slots.map(({ slot, restarts, recycled }) => [slot, { restarts, recycled }]));
    for (const { slot, restarts, recycled, reason } of slots) {
      const last = before.get(slot) ?? { restarts: 0, recycled: 0 };
      if (restarts > last.restarts) this.#add('crashed', slot, reason);
      if (recycled > last.recycled) this.#add('recycled', slot, reason);
    }
    const { state, to, reason } = rollout;
    const known = this.#rollout;
    this.#rollout = { state, to };
    if (known === null || (known.state === state && known.to === to)) return;
    if (state === 'done') this.#add('reloaded', null, `generation ${to}`);
    else if (state === 'rolledBack') this.#add('rolledBack', null, reason);
  }

  #add(what: RestartRecord['what'], slot: number | null, reason: string | null): void {
    const record = { atMs: this.#now(), what, slot, reason: reason ?? '' };
    this.#records.push(record);
    if (this.#records.length > MOST) this.#records.shift();
    this.#onRecord(record);
  }
}
