/**
 * How many of the new connections each slot gets: a pure function of what is known of the slots.
 */

export interface SlotFacts {
  /** What the best of the slot's workers that accept on the socket is; `none` where there is nobody. */
  readonly serving: 'ready' | 'starting' | 'draining' | 'none';
  /** Beyond the size: it gets nothing as long as there is any other. */
  readonly retired: boolean;
  /** Its event loop does not answer. */
  readonly avoided: boolean;
  /** Connections that wait in its queue, smoothed. */
  readonly queue: number;
  /** Open connections; null where it has not told yet. */
  readonly connections: number | null;
  /** 0 to 1: how far it is through its slow start. */
  readonly warmth: number;
  /** The share of all new connections that it gets whatever the others do, above 0 and below 1; null for an equal one. */
  readonly share: number | null;
}

/** The weight of a slot of which there is nothing to be said. */
const FULL = 64;
/** A cold worker gets this part of a warm one's, to begin with. */
const COLD = 0.1;
const WARMTH_STEPS = 16;
/** A longer queue halves the weight, once for each doubling; 2^-4 is the least. */
const MOST_HALVINGS = 4;
/** Who has fewer open connections gets up to this many times as many new ones: more would swamp a fresh worker. */
const MOST_PREFERENCE = 4;
/** Differences among so few connections are chance. */
const CHANCE = 16;
/** How hard it is pulled: with 1, twice as many connections have to come before a difference has halved. */
const PULL = 3;
/** Weights are made finer where a share has to be met. */
const FINE = 16;
/** What slots with a share of their own can have in all; the others never get nothing. */
const MOST_SHARED = 0.95;

/**
 * @returns a whole number for each, in the same order. At least one is above 0: where all are in a bad way, those that
 *   are the least so get everything, since a connection that waits is better than one that is refused.
 */
export function weigh(facts: readonly SlotFacts[]): number[] {
  const best = Math.min(...facts.map(trouble));
  const able = facts.map((slot) => trouble(slot) === best);
  const chosen = facts.filter((_slot, i) => able[i]);
  const shortest = Math.min(...chosen.map(({ queue }) => queue));
  const known = chosen.flatMap(({ connections }) => connections ?? []);
  const mean = known.length === 0 ? 0 : known.reduce((sum, count) => sum + count, 0) / known.length;
  const weights = facts.map((slot, i) => {
    if (!able[i]) return 0;
    const factor = ramp(slot.warmth) * pressure(slot.queue, shortest) * evenness(slot.connections, mean);
    return Math.max(1, Math.round(FULL * factor));
  });
  return meetShares(facts, weights);
}

/**
 * Whether new weights are worth a new program at once: somebody is to get nothing any more, or something again. Other
 * changes can wait, since the next one often takes them back.
 */
export function isUrgent(before: readonly number[], after: readonly number[]): boolean {
  return before.length !== after.length || after.some((weight, i) => (weight === 0) !== (before[i] === 0));
}

/** How far along a slow start is, 0 to 1. @param sinceMs time since the worker is ready and accepts */
export function warmth(sinceMs: number, slowStartMs: number): number {
  if (slowStartMs <= 0 || sinceMs >= slowStartMs) return 1;
  // In steps: each change is a new program.
  return Math.floor((Math.max(0, sinceMs) / slowStartMs) * WARMTH_STEPS) / WARMTH_STEPS;
}

/** When `warmth` has its next step, in milliseconds from its beginning; null when it has had the last. */
export function nextWarmthStep(sinceMs: number, slowStartMs: number): number | null {
  if (slowStartMs <= 0 || sinceMs >= slowStartMs) return null;
  const step = Math.floor((Math.max(0, sinceMs) / slowStartMs) * WARMTH_STEPS);
  return ((step + 1) * slowStartMs) / WARMTH_STEPS;
}

/** From the best, 0, to the worst. Only the best that there are get connections. */
function trouble({ serving, retired, avoided }: SlotFacts): number {
  if (retired) return 5;
  switch (serving) {
    case 'ready':
      return avoided ? 1 : 0;
    case 'starting':
      return 2;
    case 'draining':
      return 3;
    case 'none':
      return 4;
  }
}

function ramp(slotWarmth: number): number {
  return COLD + (1 - COLD) * slotWarmth;
}

/** Compared with the shortest queue: where all are equally long there is nothing to choose. */
function pressure(queue: number, shortest: number): number {
  const halvings = Math.floor(Math.log2((queue + 1) / (shortest + 1)));
  return 0.5 ** Math.min(MOST_HALVINGS, halvings);
}

/** In steps of a quarter of a doubling, so that not each connection is a new program. */
function evenness(connections: number | null, mean: number): number {
  if (connections === null) return 1;
  const ratio = (mean + CHANCE) / (connections + CHANCE);
  const stepped = 2 ** (Math.round(4 * PULL * Math.log2(ratio)) / 4);
  return Math.min(MOST_PREFERENCE, Math.max(1 / MOST_PREFERENCE, stepped));
}

/** Slots with a share of their own get just that; where there is nobody to share with it means nothing. */
function meetShares(facts: readonly SlotFacts[], weights: number[]): number[] {
  const fixed = facts.map((slot, i) => (weights[i] === 0 ? null : slot.share));
  const claimed = fixed.reduce<number>((sum, share) => sum + (share ?? 0), 0);
  const rest = weights.reduce((sum, weight, i) => sum + (fixed[i] === null ? weight : 0), 0);
  if (claimed <= 0 || rest === 0) return weights;
  const cut = Math.min(1, MOST_SHARED / claimed);
  const whole = (rest * FINE) / (1 - claimed * cut);
  return weights.map((weight, i) => {
    const share = fixed[i] ?? null;
    return share === null ? weight * FINE : Math.max(1, Math.round(whole * share * cut));
  });
}
