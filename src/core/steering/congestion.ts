/**
 * What the accept queue of one socket tells of the worker behind it: a queue that does not empty is the one sign of a
 * blocked event loop that needs no help from the worker. Pure; called many times a second, so nothing is cloned.
 *
 * A queue that is seen non-empty proves little: a connection that has just come waits for a moment everywhere. One that
 * is still not empty a moment later is a suspicion: the worker gets no new connections until it gives a sign of life.
 * Where that comes at once the suspicion was wrong, and the next one takes more to arise: so it does not flap.
 */

/** Limits of patience, in milliseconds. */
export interface Patience {
  /** From when on a queue that does not empty is a suspicion; for one that was wrong lately it takes longer. */
  readonly suspectAfterMs: number;
  /** From when on what waits is given to others. */
  readonly adoptAfterMs: number;
  /** Whether a client belongs to its worker, so that none is as good as another. */
  readonly sticky: boolean;
}

export interface QueueState {
  /** Connections that waited when it was last looked at, smoothed over AVERAGE_MS; `averageAt` tells of now. */
  readonly average: number;
  readonly sampledAt: number;
  /** Since when it has not been seen empty; null while it is. */
  readonly standingSince: number | null;
  /** When the worker was asked for a sign of life that has not come yet; meanwhile it counts as blocked. */
  readonly askedAt: number | null;
  /** When it last gave one. */
  readonly answeredAt: number;
  /** What waits there is given to others, until the queue has been short for `reliefMs`. */
  readonly congested: boolean;
  /** It grows each time it turns out to have been too short: who blocks again and again is helped all the time. */
  readonly reliefMs: number;
  /** When the last congestion ended. */
  readonly relievedAt: number;
  /** Whether the worker was silent in the last congestion for longer than one that is just busy. */
  readonly proved: boolean;
  /** When it last stood for longer than a moment. */
  readonly stoodAt: number;
  /** Suspicions that were wrong, fading away. */
  readonly falseAlarms: number;
}

const AVERAGE_MS = 50;
/** For how long a look is taken to tell: what was there between two that are further apart nobody knows. */
const TELLING_MS = 5;
/** Taking a queue over and giving it back are two messages and a descriptor: not for every moment of peace. */
const RELIEF_MS = 100;
const MOST_RELIEF_MS = 30_000;
/** Congested again within so many times the relief, the next one is twice as long; else it begins anew. */
const RELAPSE = 10;
/** False alarms count half as much after this time. */
const FORGET_MS = 500;
/** 2^3.5, some eleven times: the most that patience is multiplied by. */
const MOST_ALARMS = 3.5;
/** Who answers within this time was busy, as everybody is now and then, or waited for a processor. */
const BUSY_ONLY_MS = 20;
/** How long a worker whose alarms are mostly false has to answer before it counts as blocked. */
const GRACE_MS = 5;
/** A worker that is silent for so long is not just busy: what waits for it is worth a busy sibling's time. */
const ANY_HELP_MS = 50;
/** Who has fewer connections waiting than this, on average, has time for others. */
const IDLE_AVERAGE = 0.5;
/**
 * A queue that was seen non-empty and was empty at the second look: hardly an alarm, but where that happens all the time
 * connections come so densely that suspicions are mostly wrong. Without it steering costs a fifth more CPU at saturation.
 */
const VAIN_LOOK = 0.1;
/** From so many false alarms on a look tells little: `nextLook` looks less often. */
const CROWDED_ALARMS = 2;

export function quietQueue(now: number): QueueState {
  return {
    average: 0,
    sampledAt: now,
    standingSince: null,
    askedAt: null,
    answeredAt: Number.NEGATIVE_INFINITY,
    congested: false,
    reliefMs: RELIEF_MS,
    relievedAt: Number.NEGATIVE_INFINITY,
    proved: false,
    stoodAt: Number.NEGATIVE_INFINITY,
    falseAlarms: 0,
  };
}

/** The queue has been looked at. Where `askedAt` becomes a time by it, the worker is to be asked for a sign of life. */
export function sample(queue: QueueState, length: number, now: number, patience: Patience): QueueState {
  const falseAlarms = fade(queue, now);
  const average = smooth(queue, length, now);
  if (length === 0) return seenEmpty(queue, average, falseAlarms, now);
  const standingSince = queue.standingSince ?? now;
  // After a sign of life the worker gets its time anew.
  const silentMs = now - Math.max(standingSince, queue.answeredAt);
  const suspicious = silentMs >= suspectAfter(falseAlarms, patience);
  const congested = queue.congested || waitsTooLong(falseAlarms, now - standingSince, silentMs, patience);
  const begins = congested && !queue.congested;
  // Field by field: what a look makes is made anew a hundred times a second.
  return {
    average,
    sampledAt: now,
    standingSince,
    askedAt: queue.askedAt ?? (suspicious ? now : null),
    answeredAt: queue.answeredAt,
    congested,
    reliefMs: begins ? nextRelief(queue, now) : queue.reliefMs,
    relievedAt: queue.relievedAt,
    proved: begins ? false : queue.proved,
    stoodAt: suspicious ? now : queue.stoodAt,
    falseAlarms,
  };
}

/** The worker has given a sign of life. */
export function answered(queue: QueueState, now: number): QueueState {
  if (queue.askedAt === null) return queue;
  const wasBusyOnly = now - queue.askedAt < BUSY_ONLY_MS;
  return {
    ...queue,
    askedAt: null,
    answeredAt: now,
    falseAlarms: wasBusyOnly ? Math.min(MOST_ALARMS, queue.falseAlarms + 1) : queue.falseAlarms,
    proved: queue.proved || (queue.congested && !wasBusyOnly),
  };
}

/** Nobody is there who could answer. */
export function excused(queue: QueueState): QueueState {
  return queue.askedAt === null ? queue : { ...queue, askedAt: null };
}

/** It owes a sign of life. */
export function isBlocked(queue: QueueState): boolean {
  return queue.askedAt !== null;
}

/**
 * Gets no new connections: it is blocked, or may turn out to be at the second look. Until then there is as good a place
 * for a new one elsewhere; where suspicions are mostly wrong that would only push the load to and fro.
 */
export function isAvoided(queue: QueueState, patience: Patience, now: number): boolean {
  if (queue.askedAt === null) return deservesSecondLook(queue, patience);
  return queue.falseAlarms < 1 || now - queue.askedAt >= GRACE_MS;
}

/** In how many milliseconds what waits for a silent worker has waited too long; infinite where nothing waits. */
export function untilTooLong(queue: QueueState, patience: Patience, now: number): number {
  if (queue.standingSince === null) return Number.POSITIVE_INFINITY;
  const silentSince = Math.max(queue.standingSince, queue.answeredAt);
  return Math.max(0, silentSince + longestSilence(queue.falseAlarms, patience) - now);
}

/**
 * Has time for what waits elsewhere. A queue that is just empty proves nothing: where all are busy that is chance, and
 * whoever accepts for another then is woken up for each of its connections.
 */
export function isIdle(queue: QueueState, now: number): boolean {
  return isCalm(queue) && averageAt(queue, now) < IDLE_AVERAGE;
}

/** It owes a sign of life for so long that help by somebody who is busy is better than none. */
export function needsAnyHelp(queue: QueueState, now: number): boolean {
  return queue.askedAt !== null && now - queue.askedAt >= ANY_HELP_MS;
}

/** Connections that wait, smoothed. A calm queue is not looked at as long as none come: it fades by itself. */
export function averageAt(queue: QueueState, now: number): number {
  return isCalm(queue) ? smooth(queue, 0, now) : queue.average;
}

/** Whether a look in a moment would tell more than one in due time. */
export function deservesSecondLook(queue: QueueState, { sticky }: Patience): boolean {
  if (sticky || queue.standingSince === null || queue.askedAt !== null || queue.congested) return false;
  return queue.falseAlarms < 1;
}

/** So many connections come that a look tells little, and every one costs the workers time. */
export function isCrowded(queue: QueueState): boolean {
  return queue.falseAlarms >= CROWDED_ALARMS;
}

/** Nothing waits, and nobody owes an answer: as long as no connection comes only a relief can follow. */
export function isCalm(queue: QueueState): boolean {
  return queue.standingSince === null && queue.askedAt === null;
}

/** Nothing would change by looking, as long as no connection comes. */
export function isAtRest(queue: QueueState): boolean {
  return isCalm(queue) && !queue.congested;
}

/** When a calm queue is to be looked at, since its congestion may have ended; infinite where there is none. */
export function reliefAt(queue: QueueState): number {
  return queue.congested && isCalm(queue) ? queue.stoodAt + queue.reliefMs : Number.POSITIVE_INFINITY;
}

function seenEmpty(queue: QueueState, average: number, falseAlarms: number, now: number): QueueState {
  const vain = queue.standingSince !== null && queue.askedAt === null;
  const relieved = queue.congested && queue.askedAt === null && now - queue.stoodAt >= queue.reliefMs;
  return {
    average,
    sampledAt: now,
    standingSince: null,
    askedAt: queue.askedAt,
    answeredAt: queue.answeredAt,
    congested: queue.congested && !relieved,
    reliefMs: queue.reliefMs,
    relievedAt: relieved ? now : queue.relievedAt,
    proved: queue.proved,
    stoodAt: queue.stoodAt,
    falseAlarms: vain ? Math.min(MOST_ALARMS, falseAlarms + VAIN_LOOK) : falseAlarms,
  };
}

/** Where all are busy, help costs more than it gives: who accepts for another is woken up for each of its connections. */
function nextRelief({ reliefMs, relievedAt, proved }: QueueState, now: number): number {
  if (now - relievedAt >= RELAPSE * reliefMs) return RELIEF_MS;
  return proved ? Math.min(MOST_RELIEF_MS, 2 * reliefMs) : reliefMs;
}

function suspectAfter(falseAlarms: number, { suspectAfterMs }: Patience): number {
  return suspectAfterMs * 2 ** falseAlarms;
}

/**
 * Of a worker that says nothing for so long, what waits waits for it. One that is busy and answers gets round to its
 * queue by itself: only if that takes far longer is there more than it can do.
 */
function waitsTooLong(falseAlarms: number, stoodMs: number, silentMs: number, patience: Patience): boolean {
  return silentMs >= longestSilence(falseAlarms, patience) || stoodMs >= patience.adoptAfterMs * 2 ** (MOST_ALARMS + 1);
}

function longestSilence(falseAlarms: number, patience: Patience): number {
  const { adoptAfterMs } = patience;
  // Where all are busy a worker may just not have had its turn, and whoever helps it is not idle for long either.
  return falseAlarms < 1 ? adoptAfterMs : adoptAfterMs + 2 * suspectAfter(falseAlarms, patience);
}

/** Its false alarms, as far as they are not forgotten. */
function fade({ falseAlarms, sampledAt }: QueueState, now: number): number {
  return falseAlarms === 0 ? 0 : faint(falseAlarms * 0.5 ** ((now - sampledAt) / FORGET_MS));
}

function faint(count: number): number {
  return count < 0.01 ? 0 : count;
}

function smooth({ average, sampledAt }: QueueState, length: number, now: number): number {
  const sinceMs = Math.max(0, now - sampledAt);
  const toldMs = Math.min(sinceMs, TELLING_MS);
  const before = average * Math.exp((toldMs - sinceMs) / AVERAGE_MS);
  const smoothed = length + (before - length) * Math.exp(-toldMs / AVERAGE_MS);
  return smoothed < 0.01 ? 0 : smoothed;
}
