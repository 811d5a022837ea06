/** At what the core reports the owner's hooks run, and what they are told. Pure, but for what it remembers. */

export type HookEvent = 'reloaded' | 'rolledBack' | 'crashLoop';

/** What a hook is told: as JSON on its standard input, and as variables. */
export interface Occasion {
  readonly event: HookEvent;
  /** The generation that serves. */
  readonly generation: number;
  /** The one before it, or the one that was rolled back; null where there is none. */
  readonly otherGeneration: number | null;
  readonly slot: number | null;
  /** One sentence or more, for people; null where all is well. */
  readonly reason: string | null;
}

export type Fields = Readonly<Record<string, unknown>>;

export class Occasions {
  /** Of the rollout that is under way. */
  #from: number | null = null;
  #failed: number | null = null;
  /** One loop is one occasion, however many slots are in it. */
  #loops = false;

  /** @param stable the generation that serves */
  take(message: string, fields: Fields, stable: number): Occasion | null {
    const blank = { generation: stable, otherGeneration: null, slot: null, reason: null };
    switch (message) {
      case 'rollout started':
        this.#from = numberIn(fields.from);
        return null;
      case 'rollout done':
        return { ...blank, event: 'reloaded', otherGeneration: this.#from };
      case 'rollback started':
        this.#failed = numberIn(fields.generation);
        return null;
      case 'rollback done':
        return { ...blank, event: 'rolledBack', otherGeneration: this.#failed, reason: String(fields.reason ?? '') };
      case 'crash loop': {
        if (this.#loops) return null;
        this.#loops = true;
        const { slot, maxRestarts, restartWindowMs } = fields;
        const reason = `slot ${slot} crashed more than ${maxRestarts} times within ${Number(restartWindowMs) / 1000} s`;
        return { ...blank, event: 'crashLoop', slot: numberIn(fields.slot), reason };
      }
      case 'crash loop over':
        this.#loops = false;
        return null;
      default:
        return null;
    }
  }
}

function numberIn(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}
