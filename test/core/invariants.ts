/**
 * What must hold after every step of the core, whatever happens around it. Asks the state itself and none of the core's
 * own questions: a wrong one must not excuse itself.
 */

import type { Effect } from '../../src/core/state/effects.js';
import type { Worker } from '../../src/core/state/types.js';
import type { AnyEffect } from '../../src/core/supervision.js';
import { REOPEN_MS } from '../../src/core/worker/loss.js';
import { check, SocketInvariants, type SocketStep } from './adoption/invariants.js';
import {
  checkBounds,
  checkCanary,
  checkDismissals,
  checkGenerations,
  checkOutcome,
  checkSeats,
  checkSleep,
  checkTimes,
  hasOtherServing,
  isLive,
  isReady,
  isSeat,
  isUp,
  liveIn,
  type Step,
} from './step-invariants.js';
import { Trials } from './trials.js';

/** Remembers what was asked of whom, and checks each step against it. */
export class Invariants {
  readonly answers = new Map<number, boolean>();
  ends = 0;
  announcements = 0;
  readonly #asked = new Map<number, Set<string>>();
  readonly #gone = new Set<number>();
  readonly #askedHealth = new Set<number>();
  readonly #held = new Set<number>();
  /** What each worker has open, as it has told. */
  readonly #open = new Map<number, Set<string>>();
  readonly #trials = new Trials();
  readonly #sockets = new SocketInvariants();
  #lastWorker = 0;

  checkStep(step: Step): void {
    for (const event of step.events) {
      if (event.type === 'exited') this.#gone.add(event.worker);
      if (event.type === 'healthTold') this.#askedHealth.delete(event.worker);
      if (event.type === 'bound') this.#openOf(event.worker).add(event.key);
      if (event.type === 'closed') this.#openOf(event.worker).delete(event.key);
    }
    this.#checkOpen(step);
    this.#trials.checkStep(step);
    for (const effect of step.effects) this.#checkEffect(step, effect);
    checkBounds(step);
    checkDismissals(step);
    checkGenerations(step);
    checkSeats(step);
    checkCanary(step);
    checkSleep(step);
    this.#sockets.checkStep(socketStep(step));
    checkTimes(step);
    checkOutcome(step);
  }

  #openOf(worker: number): Set<string> {
    const open = this.#open.get(worker) ?? new Set();
    this.#open.set(worker, open);
    return open;
  }

  /** Whoever counts as ready has all open that it must have; what it has lost beside that is judged before long. */
  #checkOpen({ after, now }: Step): void {
    for (const worker of after.workers) {
      if (!isReady(worker) || worker.ended) continue;
      const open = this.#openOf(worker.id);
      const byListening = after.policies[worker.generation]?.ready === 'listening';
      check(!byListening || open.size > 0, 'who is ready listens', worker);
      check(
        worker.steady.every((key) => open.has(key)),
        'what is closed does not count',
        worker,
      );
      const { judgeLossAt } = worker;
      check(judgeLossAt === null || judgeLossAt <= now + REOPEN_MS, 'a loss is judged before long', worker);
    }
  }

  /** Whoever takes connections over must have been left alone up to now; a later effect of the same step may change that. */
  #checkRecipients({ worker, recipients }: Extract<Effect, { do: 'drain' | 'link' }>): void {
    check(
      new Set(recipients).size === recipients.length && !recipients.includes(worker),
      'each recipient is another worker',
      recipients,
    );
    for (const recipient of recipients) {
      check(this.#asked.get(recipient)?.size === 0, 'a recipient is not on its way out itself', { worker, recipient });
      check(!this.#held.has(recipient), 'nobody is served by a held worker', { worker, recipient });
      check(!this.#gone.has(recipient), 'a recipient is there', { worker, recipient });
    }
  }

  #checkEffect(step: Step, effect: AnyEffect): void {
    const { after } = step;
    switch (effect.do) {
      case 'spawn':
        check(effect.worker > this.#lastWorker, 'a worker number is never used again', effect);
        check(after.phase === 'starting' || after.phase === 'running', 'nothing is spawned after a stop', effect);
        check(isSeat(after, effect), 'only seats within the size are taken, and that of the canary', effect);
        this.#checkRecycling(step, effect);
        this.#lastWorker = effect.worker;
        if (effect.held) this.#held.add(effect.worker);
        else
          check(
            !hasOtherServing(step, effect.worker),
            'who is not ready gets no client that another one serves',
            effect,
          );
        this.#asked.set(effect.worker, new Set());
        return;
      case 'drain':
      case 'terminate':
      case 'kill': {
        const asked = this.#known(effect);
        const again =
          effect.do === 'kill' &&
          step.before.workers.some(({ id, state }) => id === effect.worker && state === 'killing');
        check(
          again || !asked.has(effect.do),
          'nothing is asked of a worker twice, but for a kill that did not help',
          effect,
        );
        const lost = asked.has('kill') || asked.has('diagnose');
        check(
          effect.do === 'kill' || !lost,
          'a kill is the last that is asked, and one that hangs is only killed',
          effect,
        );
        check(effect.do !== 'drain' || asked.size === 0, 'a drain is the first that is asked', effect);
        asked.add(effect.do);
        if (effect.do === 'drain') this.#checkRecipients(effect);
        return;
      }
      case 'link':
        check(this.#known(effect).has('drain'), 'only who drains gets other recipients', effect);
        check(effect.recipients.length > 0, 'recipients are somebody', effect);
        this.#checkRecipients(effect);
        return;
      case 'answer':
        check(!this.answers.has(effect.request), 'a request is answered once', effect);
        check(effect.ok === (effect.reason === null), 'a refusal has a reason', effect);
        this.answers.set(effect.request, effect.ok);
        return;
      case 'announceStart':
        this.announcements += 1;
        check(this.announcements === 1, 'the start is announced once');
        check(after.workers.some(isReady), 'a start has a ready worker');
        return;
      case 'end':
        this.ends += 1;
        check(this.ends === 1 && after.phase === 'stopped' && after.workers.length === 0, 'the end comes once, last');
        return;
      case 'forgetGeneration':
        check(after.policies[effect.generation] === undefined, 'what is forgotten is not kept', effect);
        check(!after.workers.some((worker) => worker.generation === effect.generation), 'nobody needs it', effect);
        return;
      case 'accept': {
        const asked = this.#known(effect);
        const worker = after.workers.find(({ id }) => id === effect.worker);
        check(asked.size === 0 && this.#held.delete(effect.worker), 'who accepts has been held', effect);
        // The same step may send it away after that: the end of a rollout can make the size smaller.
        const isReadyNow = worker !== undefined && worker.readyAt !== null;
        check(isReadyNow || !hasOtherServing(step, effect.worker), 'who accepts has become ready, or is alone', effect);
        return;
      }
      case 'askHealth': {
        const asked = this.#known(effect);
        check(asked.size === 0, 'nobody is asked for its health on the way out', effect);
        check(!this.#askedHealth.has(effect.worker), 'one question after the other', effect);
        this.#askedHealth.add(effect.worker);
        return;
      }
      case 'diagnose': {
        const asked = this.#known(effect);
        check(asked.size === 0, 'a worker that hangs has not been asked for anything', effect);
        asked.add(effect.do);
        return;
      }
      case 'judgeCanary':
        check(after.rollout.canary !== null && after.rollout.to === effect.generation, 'it is there', effect);
        return;
      case 'adopt':
        check(this.#known(effect).size === 0, 'nobody adopts on the way out', effect);
        return;
      case 'release':
        this.#known(effect);
        return;
      case 'closeSocket':
      case 'closeCustody':
      case 'report':
        return;
    }
  }

  /** A worker beside one of its own generation: that one is to be recycled, and is the only one, with nothing else to do. */
  #checkRecycling({ after, effects }: Step, { worker, slot, generation }: Extract<Effect, { do: 'spawn' }>): void {
    const beside = after.workers.filter(
      (other) => other.id !== worker && other.slot === slot && isLive(other) && other.generation === generation,
    );
    if (beside.length === 0) return;
    check(beside.length === 1 && beside[0]?.recycleReason !== null, 'a successor needs a reason', beside);
    check(isReady(beside[0] as Worker), 'who is recycled serves until then', beside);
    const spawned = effects.findIndex((effect) => effect.do === 'spawn' && effect.worker === worker);
    const begins = effects
      .slice(spawned)
      .some((effect) => effect.do === 'report' && effect.message === 'rollout started');
    const isMoving = after.rollout.state === 'running' || after.rollout.state === 'rollingBack';
    check(begins || !isMoving, 'rollouts go first', after);
    const finished = after.slots.filter((seat) => seat.finished && seat.slot < after.size).length;
    check(liveIn(after).length === after.size - finished + 1, 'one is recycled at a time', after.workers);
  }

  #known(effect: AnyEffect & { worker: number }): Set<string> {
    const asked = this.#asked.get(effect.worker);
    check(asked !== undefined, 'a worker is spawned before anything is asked of it', effect);
    check(!this.#gone.has(effect.worker), 'nothing is asked of a worker that is gone', effect);
    return asked;
  }
}

/** The workers as the state has them, in the test's own words. */
function socketStep({ after, sockets, events, effects, now }: Step): SocketStep {
  const { canary } = after.rollout;
  return {
    ...sockets,
    events,
    effects,
    now,
    isUp: isUp(after),
    isWanted: (slot) => slot < after.size || slot === canary?.slot,
    workers: after.workers.map((worker) => {
      const accepts = !worker.ended && !worker.held && isLive(worker);
      return { ...worker, accepts, serves: accepts && isReady(worker) };
    }),
  };
}
