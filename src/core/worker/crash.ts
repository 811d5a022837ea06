/** What follows from a worker that crashed or never became ready: blame, backoff, and news for those who wait. */
import type { RestartCause } from '../../protocol/status.js';
import { causeOfDeath, type Facts } from '../restarts/cause-of-death.js';
import { countCrash } from '../restarts/crash-loop.js';
import { backoff } from '../restarts/restart-policy.js';
import { answerFailedRollback, isOnTrial, rollBack } from '../rollout/rollout.js';
import type { Draft } from '../state/draft.js';
import type { WorkerEvent } from '../state/events.js';
import { seats } from '../state/standing.js';
import { answer, policyOf, report, slotOf, workersOf } from '../state/state.js';
import type { Worker } from '../state/types.js';

type Exit = Extract<WorkerEvent, { type: 'exited' }>;

/** What there is to judge an end by that nobody asked for. */
export function facts({ code, signal, lastLines, oomKilled = false, isUntold = false }: Exit): Facts {
  return { code, signal, lastLines, oomKilled, isUntold };
}

export const BEFORE_READY = 'before it was ready';

/** For people: how a worker ended, and what it said last. */
export function describeExit(event: Exit, when: string): string {
  const { cause, text } = causeOfDeath(facts(event));
  if (cause === 'notStarted') return text;
  // Not a fault of the program, as it sees it: nobody would guess what was expected.
  const why =
    event.code === 0 && when === BEFORE_READY
      ? ': it had nothing left to do, or ended itself. It must listen, and stay (or set ready: running, if it serves no traffic); give the server itself, not a command that starts it in a process of its own'
      : '';
  const last = event.lastLines.length === 0 ? '' : `; the last it wrote:\n${event.lastLines.join('\n')}`;
  return `${text} ${when}${why}${last}`;
}

/** Where it ended for want of an address, who holds that says more than its stack does. */
export function describeFailedStart(event: Exit, { refused }: Worker, when: string): string {
  const reasons = refused.map(({ reason }) => reason);
  const last = event.lastLines.join('\n');
  const isWhy = reasons.some((reason) => last.includes(/\bE[A-Z]+\b/.exec(reason)?.[0] ?? reason));
  return [...reasons, ...(isWhy ? [] : [describeExit(event, when)])].join('; ');
}

export interface Fault {
  readonly cause: RestartCause;
  readonly reason: string;
  /** 0 to 1, for the jitter. */
  readonly chance: number;
  /** Its exit code, where it has ended. */
  readonly code?: number | null;
  /** The first replacement does not wait: the backoff begins with the second. */
  readonly atOnce?: boolean;
}

/**
 * Takes note of a fault of a worker that was live up to now. There are none while the supervisor stops or restarts, nor
 * in slots beyond the size: all of those have been sent away.
 */
export function crashed(
  draft: Draft,
  worker: Worker,
  { cause, reason, chance, code = null, atOnce = false }: Fault,
): void {
  const { state, now } = draft;
  const slot = slotOf(state, worker.slot);
  if (state.phase === 'starting') {
    slot.failedStart = true;
    // Told in the end only if no slot gets up at all.
    state.failureReason ??= reason;
  }
  if (isOnTrial(state, worker.generation)) {
    rollBack(draft, reason);
    return;
  }
  // A generation that is on its way out: nobody will replace it by its like.
  if (worker.generation !== state.target) return;
  slot.reason = reason;

  const policy = policyOf(state, worker);
  // One that was being recycled has a successor already.
  const isAlone = !workersOf(state, slot.slot).some(seats);
  if (code !== null && policy.stopExitCodes.includes(code) && isAlone) {
    slot.finished = true;
    report(draft, 'warn', 'slot finished', { slot: slot.slot, code });
    answerFailedRollback(draft, reason);
    answerWaiting(draft, `${reason}; its exit code says that it is not to be replaced`);
    return;
  }
  if (worker.readyAt !== null && now - worker.readyAt >= policy.backoffResetMs) slot.attempts = 0;
  slot.attempts += 1;
  slot.restarts += 1;
  state.totals.restarts[cause] += 1;
  answerFailedRollback(draft, reason);
  answerWaiting(draft, `${reason}; holdfast keeps trying`);
  // What may be the remedy is on trial: these crashes are of what it would replace.
  if (state.rollout.trial === null) countCrash(draft, slot, policy, reason);
  const attempts = slot.crashLoop ? Number.POSITIVE_INFINITY : slot.attempts;
  const delayMs = atOnce && slot.attempts === 1 && !slot.crashLoop ? 0 : backoff(attempts, policy, chance);
  slot.retryAt = now + delayMs;
  report(draft, 'info', 'replacement scheduled', { slot: slot.slot, attempt: slot.attempts, delayMs });
}

function answerWaiting(draft: Draft, reason: string): void {
  const { state } = draft;
  for (const scale of state.scales) answer(draft, [scale.request], false, reason);
  state.scales = [];
  if (state.restart === null || state.phase !== 'running') return;
  answer(draft, state.restart.requests, false, reason);
  state.restart = null;
}
