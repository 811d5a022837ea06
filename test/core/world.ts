/**
 * A simulated world around the core: performs its effects on simulated processes, brings back what they do, and drives
 * time as the real loop does. Every step is checked against the invariants.
 */
import { failedEffect } from '../../src/core/failed-effect.js';
import type { Effect } from '../../src/core/state/effects.js';
import type { State } from '../../src/core/state/types.js';
import {
  type AnyEffect,
  type AnyEvent,
  advance,
  initialSupervision,
  nextWake,
  type Supervision,
} from '../../src/core/supervision.js';
import { check } from './adoption/invariants.js';
import { type Application, GOOD } from './application.js';
import { Clock } from './clock.js';
import { copyOf } from './copy.js';
import { type Action, mayFail, policyOf, type Release, type Setup } from './course.js';
import { deepFreeze } from './driver.js';
import { Invariants } from './invariants.js';
import { SimulatedProcess } from './process.js';
import { SimulatedCustody } from './simulated-custody.js';
import { checkRest } from './step-invariants.js';

const DRIVE_LIMIT = 20_000;
export class World {
  readonly clock: Clock;
  readonly invariants = new Invariants();
  readonly processes = new Map<number, SimulatedProcess>();
  supervision: Supervision;
  /** Told of each new state. */
  onStep: (state: State) => void = () => {};
  requests = 0;
  readonly #setup: Setup;
  readonly #releases: Release[] = [];
  readonly #custody: SimulatedCustody;
  readonly #queue: AnyEvent[] = [];
  #busy = false;
  #wakeAt: number | null = null;
  #steps = 0;

  constructor(setup: Setup) {
    this.#setup = setup;
    this.clock = new Clock(setup.seed);
    this.#custody = new SimulatedCustody(setup.listenMode === 'reuseaddr');
    this.supervision = initialSupervision({
      ...setup,
      steered: setup.steered && setup.listenMode === 'reuseport',
      policy: policyOf(setup.first, 0),
    });
    this.clock.at(0, () => this.dispatch({ type: 'start' }));
    let at = 0;
    for (const action of setup.actions) {
      at += action.afterMs;
      this.clock.at(at, () => this.act(action));
    }
  }

  get state(): State {
    return this.supervision.state;
  }

  /** What the owner does, or fate. */
  act(action: Action): void {
    const alive = [...this.processes.values()].filter((process) => process.alive);
    const victim = this.clock.pick(alive);
    switch (action.do) {
      case 'reload':
      case 'restart': {
        const { release, size, canary = null } = action;
        this.#releases.push(release);
        this.#request((request) => ({
          type: action.do,
          request,
          policy: policyOf(release, this.#releases.length),
          size,
          canary,
        }));
        break;
      }
      case 'promote':
      case 'abort':
        this.#request((request) => ({ type: action.do, request }));
        break;
      case 'hang':
        victim?.hang();
        break;
      case 'exceed':
        victim?.exceed();
        break;
      case 'scale':
        this.#request((request) => ({ type: 'scale', request, size: action.size }));
        break;
      case 'stop':
        this.#request((request) => ({ type: 'stop', request }));
        break;
      case 'stopNow':
        this.dispatch({ type: 'stopNow' });
        break;
      case 'killWorker':
        victim?.exit(null, 'SIGKILL');
        break;
      case 'disconnectWorker':
        victim?.disconnect();
        break;
      case 'congest':
        this.#custody.congest(this.clock, this);
        break;
      case 'closeAddress':
        victim?.closeSome();
        break;
      case 'reopenAddress':
        victim?.reopenSome();
    }
  }

  #request(make: (request: number) => AnyEvent): void {
    this.requests += 1;
    this.dispatch(make(this.requests));
  }

  /** As the real loop: what comes while effects are performed waits until they are done, and what is due is always met. */
  dispatch(event: AnyEvent): void {
    this.#queue.push(event);
    if (this.#busy) return;
    this.#busy = true;
    while (this.#queue.length > 0) {
      if (this.#wakeAt !== null && this.#wakeAt <= this.clock.now) this.#queue.push({ type: 'ticked' });
      this.#wakeAt = null;
      this.#step(this.#queue.splice(0));
    }
    this.#busy = false;
    this.#wakeAt = nextWake(this.supervision, this.clock.now);
  }

  #step(events: readonly AnyEvent[]): void {
    const before = this.supervision;
    const { now } = this.clock;
    const after = copyOf(before);
    const { effects, faults } = advance(after, deepFreeze(events), now);
    check(faults.length === 0, 'the core fails at nothing', String(faults[0]?.error));
    this.supervision = deepFreeze(after);
    this.#steps += 1;
    check(this.#steps < DRIVE_LIMIT, 'the core comes to rest', after);
    const sockets = { before: before.sockets, after: after.sockets };
    this.invariants.checkStep({ before: before.state, events, after: after.state, sockets, effects, now });
    for (const effect of effects) this.#attempt(effect);
    this.onStep(after.state);
  }

  /** Until `time`, or until nothing is planned any more. */
  drive(time: number): void {
    for (;;) {
      const deadline = nextWake(this.supervision, this.clock.now);
      const { next } = this.clock;
      if (Math.min(deadline ?? Number.POSITIVE_INFINITY, next ?? Number.POSITIVE_INFINITY) > time) return;
      if (deadline === null || (next !== null && next <= deadline)) {
        this.clock.advance();
        continue;
      }
      // Timers come late, more or less.
      this.clock.now =
        deadline + (this.clock.happens(0.5) ? 0 : Math.min(this.clock.between(0, 2), (next ?? time) - deadline));
      this.dispatch({ type: 'ticked' });
      const following = nextWake(this.supervision, this.clock.now);
      check(following === null || following > this.clock.now, 'what is due is done, not slept for again', this.state);
    }
  }

  get isQuiet(): boolean {
    return this.clock.next === null && nextWake(this.supervision, this.clock.now) === null;
  }

  /** The release that the slots are on their way to. */
  get target(): Release | undefined {
    return this.#releaseOf(this.state.target);
  }

  #releaseOf(generation: number): Release | undefined {
    const number = this.state.policies[generation]?.release ?? 0;
    return number === 0 ? this.#setup.first : this.#releases[number - 1];
  }

  /** Some effects cannot be done: the system refuses, or what is to do them has a fault. */
  #attempt(effect: AnyEffect): void {
    if (!mayFail(effect) || !this.clock.happens(this.#setup.faults)) {
      this.#perform(effect);
      return;
    }
    const event = failedEffect(effect, 'EIO', this.clock.chance());
    if (event !== null) this.dispatch(event);
  }

  #perform(effect: AnyEffect): void {
    switch (effect.do) {
      case 'spawn':
        this.#spawn(effect);
        break;
      case 'drain':
        this.processes.get(effect.worker)?.drain();
        break;
      case 'terminate':
        check(
          this.#setup.faults > 0 || (this.processes.get(effect.worker)?.mayBeEnded ?? true),
          'who may have accepted drains first',
          effect,
        );
        this.processes.get(effect.worker)?.terminate();
        break;
      case 'kill':
        this.processes.get(effect.worker)?.kill();
        break;
      case 'adopt':
        check(this.#custody.has(effect.socket), 'what is adopted is in custody', effect);
        this.processes.get(effect.worker)?.adopt(effect.socket);
        break;
      case 'widen':
        check(this.#custody.has(effect.socket), 'what is accepted on as well is in custody', effect);
        this.processes.get(effect.worker)?.widen(effect.socket, effect.under);
        break;
      case 'release':
        this.processes.get(effect.worker)?.release(effect.socket);
        break;
      case 'askHealth':
        this.processes.get(effect.worker)?.tellHealth();
        break;
      case 'diagnose':
        if (this.clock.happens(0.7)) {
          const { worker } = effect;
          this.clock.after(this.clock.between(0, 2_000), () => this.dispatch({ type: 'diagnosed', worker }));
        }
        break;
      case 'judgeCanary':
        this.#judge(effect.generation, true);
        break;
      case 'openContested':
        this.clock.after(0, () => this.processes.get(effect.worker)?.openContested(effect.key));
        break;
      case 'refuseContested':
        this.clock.after(0, () => this.dispatch({ type: 'failed', worker: effect.worker, reason: effect.reason }));
        break;
      case 'closeSocket':
        this.#custody.close(effect.socket, this.processes.values());
        break;
      case 'closeCustody':
        this.#custody.closeAll();
    }
  }

  #judge(generation: number, final: boolean): void {
    const verdict = this.clock.pick(['good', 'worse', 'undecided'] as const) ?? 'good';
    const reason = verdict === 'good' ? null : 'its figures';
    this.clock.after(this.clock.between(0, 100), () =>
      this.dispatch({ type: 'canaryJudged', generation, verdict, reason, final }),
    );
  }

  #spawn({ worker, slot, generation }: Extract<Effect, { do: 'spawn' }>): void {
    const release = this.#releaseOf(generation);
    check(release !== undefined, 'the release of what is spawned is known', generation);
    const { quality, ready } = release;
    const application: Application = { quality, ready, ports: this.#setup.ports };
    if (!GOOD.includes(quality) && this.clock.happens(0.02)) {
      const chance = this.clock.chance();
      this.dispatch({ type: 'exited', worker, code: null, signal: null, chance, lastLines: ['spawn EAGAIN'] });
      return;
    }
    const process: SimulatedProcess = new SimulatedProcess(worker, slot, application, {
      clock: this.clock,
      hear: (event) => this.dispatch(event),
      open: (worker, owner, key) => this.#open(worker, owner, key),
    });
    this.processes.set(worker, process);
    // Compared from time to time, once it is there.
    if (this.state.rollout.canary !== null && this.clock.happens(0.5)) {
      this.clock.after(this.clock.between(0, 1_000), () => this.#judge(generation, false));
    }
  }

  #open(worker: number, slot: number, key: string): 'opened' | 'contested' | 'closed' {
    const found = this.#custody.open(slot, key);
    if (found === 'contested') this.dispatch({ type: 'contested', worker, key });
    if (typeof found === 'string') return found;
    this.dispatch({ type: 'socketOpened', socket: found, worker });
    return 'opened';
  }

  /** Called when nothing happens any more: what the core believes is what is. */
  checkRest(): void {
    const { state } = this;
    checkRest(state);
    this.#custody.checkRest(this.supervision.sockets, state.size, [...this.processes.values()]);
  }
}
