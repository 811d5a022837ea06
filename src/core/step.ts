/**
 * The core's one entrance: `step(state, event, now)` tells what is true afterwards and what is to be done.
 *
 * Pure: no clock, no timer, no chance, no input or output. The loop around it performs the effects, brings back what it
 * observes, and sleeps until `nextDeadline`.
 */
import { advanceCanary, canaryJudged, decide } from './plan/canary-rollout.js';
import { converge } from './plan/plan.js';
import { advanceTrial } from './plan/trial.js';
import { beginQueuedReload, beginStop, finishStop, request, startAgain, stop, stopNow } from './requests.js';
import { reviewCrashLoop } from './restarts/crash-loop.js';
import { advanceRollout, forgetGenerations } from './rollout/rollout.js';
import type { Draft } from './state/draft.js';
import type { Effect } from './state/effects.js';
import type { Event, WorkerEvent } from './state/events.js';
import { seats, serves } from './state/standing.js';
import { answer, isUp, isWantedSlot, report, workersOf } from './state/state.js';
import type { Slot, State } from './state/types.js';
import { overdue } from './worker/departure.js';
import { releaseHeld } from './worker/held.js';
import { observe } from './worker/lifecycle.js';
import { judgeLoss } from './worker/loss.js';
import { askHealth, checkReady, readyByUptimeAt } from './worker/readiness.js';
import { admit, isTakingOver, killReplaced, orphanEnded, orphansFound } from './worker/takeover.js';

export interface Fault {
  readonly error: unknown;
  /** The event that the core failed at, which is left out; null where it failed at what follows from all of them. */
  readonly event: Event | null;
}

export interface Outcome {
  readonly effects: readonly Effect[];
  readonly faults: readonly Fault[];
}

/**
 * Takes what has come, in order, and settles once. Writes into `state`: it is the caller's, who shows it to others but lets
 * nobody else write. Never throws: a fault of the core costs no more than the event that it comes from.
 */
export function step(state: State, events: readonly Event[], now: number): Outcome {
  const draft: Draft = { state, effects: [], now };
  const faults: Fault[] = [];
  const attempt = (event: Event | null, act: () => void) => {
    try {
      act();
    } catch (error) {
      faults.push({ error, event });
    }
  };
  state.steppedAt = now;
  for (const event of events) attempt(event, () => apply(draft, event));
  // Whatever woke the core up: a deadline must not depend on the timer that is set for it.
  attempt(null, () => passTime(draft));
  attempt(null, () => settle(draft));
  return { effects: draft.effects, faults };
}

function apply(draft: Draft, event: Event): void {
  switch (event.type) {
    case 'start':
    case 'ticked':
      // Which workers are missing and what is due is looked at after every event.
      break;
    case 'reload':
    case 'restart':
    case 'scale':
      request(draft, event);
      break;
    case 'stop':
      stop(draft, event);
      break;
    case 'stopNow':
      stopNow(draft);
      break;
    case 'socketOpened':
      draft.state.workers.find(({ id }) => id === event.worker)?.given.push(event.socket.key);
      break;
    case 'bindFailed':
      failBind(draft, event);
      break;
    case 'orphansFound':
      orphansFound(draft, event);
      break;
    case 'attached':
      if (draft.state.workers.some(({ id }) => id === event.worker)) observe(draft, event);
      else admit(draft, event);
      break;
    case 'exited':
      orphanEnded(draft.state, event.worker);
      observe(draft, event);
      break;
    case 'promote':
    case 'abort':
      decide(draft, event);
      break;
    case 'canaryJudged':
      canaryJudged(draft, event);
      break;
    default:
      observe(draft, event);
  }
}

function passTime(draft: Draft): void {
  const { state, now } = draft;
  for (const worker of [...state.workers]) {
    const upAt = readyByUptimeAt(state, worker);
    if (upAt !== null && upAt <= now) checkReady(draft, worker);
    if (worker.deadline !== null && worker.deadline <= now) overdue(draft, worker);
    if (worker.healthAt !== null && worker.healthAt <= now) askHealth(draft, worker);
    const { judgeLossAt } = worker;
    if (worker.state === 'ready' && judgeLossAt !== null && judgeLossAt <= now) judgeLoss(draft, worker);
  }
}

function failBind(draft: Draft, event: Extract<WorkerEvent, { type: 'bindFailed' }>): void {
  const { state } = draft;
  const worker = state.workers.find((candidate) => candidate.id === event.worker);
  // What the supervisor lacks it lacks for every worker alike: waiting for the others would only repeat the message.
  const isHopeless = event.isOurs === true && state.phase === 'starting' && worker?.state === 'starting';
  observe(draft, event);
  if (!isHopeless) return;
  state.failureReason = event.reason;
  beginStop(draft);
}

/**
 * More passes than anything needs: each one brings a rollout, a restart or the start one stage further. Whoever needs
 * more goes round in circles.
 */
const MOST_PASSES = 50;

/**
 * What follows from the facts, whatever the event was: until a pass asks for nothing more. Whatever changes something that
 * another part looks at says so by an effect.
 */
function settle(draft: Draft): void {
  const { effects } = draft;
  for (let pass = 1; ; pass++) {
    const before = effects.length;
    arrangeWorkers(draft);
    if (effects.length === before) break;
    if (pass < MOST_PASSES) continue;
    report(draft, 'error', 'the core does not come to rest', { passes: pass });
    break;
  }
  forgetGenerations(draft);
}

function arrangeWorkers(draft: Draft): void {
  const { state } = draft;
  if (isTakingOver(draft)) return;
  if (state.phase === 'restarting') startAgain(draft);
  endIfNothingIsLeft(draft);
  if (state.phase === 'starting') reviewStart(draft);
  if (isUp(state)) {
    beginQueuedReload(draft);
    // Before those that serve are sent away.
    releaseHeld(draft);
    killReplaced(draft);
    converge(draft);
    reviewCrashLoop(draft);
    advanceCanary(draft);
    advanceTrial(draft);
    advanceRollout(draft);
    answerReached(draft);
  }
  if (state.phase === 'stopping') finishStop(draft);
}

/** A crash loop that is to end the supervisor, or slots whose workers all said that they are not to be replaced. */
function endIfNothingIsLeft(draft: Draft): void {
  const { state } = draft;
  if (state.phase !== 'running' && !(state.phase === 'starting' && state.givesUp)) return;
  const active = state.slots.filter(({ slot }) => slot < state.size);
  const allFinished = active.length === state.size && active.every(({ finished }) => finished);
  if (state.givesUp || (allFinished && state.workers.length === 0)) beginStop(draft);
}

/** The start has an end once every slot has had its try. */
function reviewStart(draft: Draft): void {
  const { state } = draft;
  const slots = state.slots.filter(({ slot }) => slot < state.size);
  if (slots.length < state.size) return;
  const isReady = (slot: number) => workersOf(state, slot).some(serves);
  const ready = slots.filter(({ slot }) => isReady(slot)).length;
  if (ready === 0) {
    // While one is still on its way it may turn out well.
    if (slots.every((slot) => slot.failedStart) && !state.workers.some(seats)) beginStop(draft);
    return;
  }
  if (!slots.every((slot) => slot.failedStart || isReady(slot.slot))) return;
  state.phase = 'running';
  state.announced = true;
  state.failureReason = null;
  report(draft, 'info', 'started', { ready, size: state.size });
  draft.effects.push({ do: 'announceStart' });
}

/**
 * A restart and a change of the size promise that each slot has been up since, not that all of them are up at one moment:
 * where workers come to a limit soon, one of many is always being replaced.
 */
function answerReached(draft: Draft): void {
  const { state } = draft;
  if (state.restart === null && state.scales.length === 0) return;
  const active = state.slots.filter(({ slot }) => slot < state.size);
  const isUpNow = ({ slot }: Slot) => workersOf(state, slot).some(serves);
  state.reached = active.filter((slot) => state.reached.includes(slot.slot) || isUpNow(slot)).map(({ slot }) => slot);
  const done = active.filter(({ slot, finished }) => finished || state.reached.includes(slot)).length;
  if (done < state.size) return;
  if (state.restart !== null) {
    answer(draft, state.restart.requests, true, null);
    state.restart = null;
  }
  if (state.workers.some((worker) => !isWantedSlot(state, worker.slot))) return;
  for (const { request: number, size } of state.scales) {
    const reached = size === state.size;
    answer(draft, [number], reached, reached ? null : `the size has been changed to ${state.size} since`);
  }
  state.scales = [];
}
