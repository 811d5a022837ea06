/** A world around a core that takes workers over: they come, serve, drain and end as chance has it. Every step is checked. */
import { type AnyEffect, type AnyEvent, advance, initialSupervision, nextWake } from '../../../src/core/supervision.js';
import { ATTACH_MS, SEIZE_MS } from '../../../src/core/worker/takeover.js';
import { check } from '../adoption/invariants.js';
import { Clock } from '../clock.js';
import { copyOf } from '../copy.js';
import { deepFreeze, makePolicy, PORT } from '../driver.js';
import type { Fate, Setup } from './takeover-course.js';
import { TakeoverInvariants } from './takeover-invariants.js';

const READY_MS = 2_000;

interface Process extends Partial<Pick<Fate, 'fate' | 'condition'>> {
  readonly id: number;
  readonly slot: number;
  readonly generation: number;
  alive: boolean;
  accepts: boolean;
  attached: boolean;
}

export class World {
  readonly clock: Clock;
  readonly supervision: ReturnType<typeof initialSupervision>;
  readonly processes = new Map<number, Process>();
  requests = 0;
  /** Nobody has asked for something that may send workers away. */
  isQuietOwner = true;
  readonly #policy;
  readonly #queue: AnyEvent[] = [];
  #busy = false;
  #wakeAt: number | null = null;
  #steps = 0;
  readonly #invariants: TakeoverInvariants;

  constructor(setup: Setup) {
    const { size, listenMode, trialMs, health } = setup;
    this.clock = new Clock(setup.seed);
    this.#policy = makePolicy({
      ...{ trialMs, health, readyTimeoutMs: READY_MS, drainTimeoutMs: 500, killTimeoutMs: 300, maxDraining: 9 },
    });
    this.supervision = initialSupervision({ size, listenMode, steered: false, policy: this.#policy });
    for (const [i, orphan] of setup.orphans.entries()) {
      const accepts = orphan.condition === 'serving';
      // As if it had been started just before the end, and had not been seen: no number is given twice in between.
      const id = orphan.fate === 'unseen' ? 1_000 * (i + 1) : i + 1;
      this.processes.set(id, { ...orphan, id, alive: true, accepts, attached: false });
    }
    const seen = [...this.processes.values()].filter(({ fate }) => fate !== 'unseen');
    const found = seen.map(({ id, slot, generation }) => ({ worker: id, slot, generation, pid: 100 + id }));
    this.#invariants = new TakeoverInvariants(Math.max(0, ...seen.map(({ id }) => id)));
    this.dispatch({ type: 'orphansFound', orphans: found });
    this.dispatch({ type: 'start' });
    for (const process of this.processes.values()) this.#live(process);
    let at = 0;
    for (const { afterMs, what } of setup.requests) {
      at += afterMs;
      this.clock.at(at, () => this.request(what));
    }
  }

  get state() {
    return this.supervision.state;
  }

  #live(process: Process): void {
    const { clock } = this;
    const soon = clock.between(0, 400);
    switch (process.fate) {
      case 'lost':
        clock.after(clock.between(0, ATTACH_MS + 1_000), () => this.#exit(process));
        return;
      case 'late':
        clock.after(clock.between(ATTACH_MS, ATTACH_MS + 2 * SEIZE_MS), () => this.#attach(process));
        return;
      case 'stuck':
      case 'stuckForGood':
        return;
      case 'crashes':
        clock.after(soon + clock.between(0, 1_000), () => this.#exit(process));
        break;
      case 'unseen':
        clock.after(clock.between(0, 8_000), () => this.#attach(process));
        return;
    }
    clock.after(soon, () => this.#attach(process));
    // Nobody is who somebody else is already.
    if (clock.happens(0.1)) clock.after(clock.between(0, 6_000), () => this.#attach(process));
  }

  #attach(process: Process): void {
    const { id: worker, slot, generation, condition } = process;
    if (!process.alive) return;
    const listening = condition === 'starting' || condition === 'draining' || condition === 'drained' ? [] : [PORT];
    const draining = condition === 'draining' || condition === 'drained';
    this.dispatch({
      ...{ type: 'attached', worker, slot, generation, pid: 100 + worker, uptimeMs: 1_000, saidReady: false },
      ...{ held: condition === 'held', listening, steady: listening, draining, drained: condition === 'drained' },
    });
    const tell = (event: AnyEvent) => () => {
      if (process.alive && process.attached) this.dispatch(event);
    };
    if (condition === 'draining') this.clock.after(this.clock.between(0, 900), tell({ type: 'drained', worker }));
    if (condition === 'starting') this.#bindLater(process);
  }

  #bindLater(process: Process): void {
    const { id: worker } = process;
    this.clock.after(this.clock.between(20, 200), () => {
      if (!process.alive || process.condition === 'draining') return;
      const { listenMode } = this.state;
      this.dispatch({
        type: 'socketOpened',
        socket: { slot: listenMode === 'reuseport' ? process.slot : null, key: PORT },
        worker,
      });
      process.accepts = true;
      this.dispatch({ type: 'bound', worker, key: PORT });
      this.dispatch({ type: 'stayed', worker, key: PORT });
    });
  }

  #exit(process: Process): void {
    if (!process.alive) return;
    process.alive = false;
    process.accepts = false;
    const { id: worker } = process;
    this.dispatch({ type: 'exited', worker, code: null, signal: null, chance: 0.5, lastLines: [], isUntold: true });
  }

  request(what: Setup['requests'][number]['what']): void {
    if (what !== 'crash') this.isQuietOwner = false;
    const request = what === 'crash' || what === 'stopNow' ? 0 : ++this.requests;
    const policy = this.#policy;
    switch (what) {
      case 'reload':
      case 'restart':
        this.dispatch({ type: what, request, policy, size: null });
        return;
      case 'scale':
        this.dispatch({ type: 'scale', request, size: 1 + Math.floor(this.clock.between(0, 4)) });
        return;
      case 'stop':
        this.dispatch({ type: 'stop', request });
        return;
      case 'stopNow':
        this.dispatch({ type: 'stopNow' });
        return;
      case 'crash': {
        const victim = this.clock.pick([...this.processes.values()].filter(({ alive }) => alive));
        if (victim !== undefined) this.#exit(victim);
      }
    }
  }

  dispatch(event: AnyEvent): void {
    this.#queue.push(event);
    if (this.#busy) return;
    this.#busy = true;
    while (this.#queue.length > 0) {
      if (this.#wakeAt !== null && this.#wakeAt <= this.clock.now) this.#queue.push({ type: 'ticked' });
      this.#wakeAt = null;
      const before = copyOf(this.state);
      const events = deepFreeze(this.#queue.splice(0));
      const { effects, faults } = advance(this.supervision, events, this.clock.now);
      check(faults.length === 0, 'the core fails at nothing', String(faults[0]?.error));
      this.#steps += 1;
      check(this.#steps < 5_000, 'the core comes to rest', this.state);
      this.#invariants.checkStep({ before, after: this.state, events, effects, now: this.clock.now }, this);
      for (const effect of effects) this.#perform(effect);
    }
    this.#busy = false;
    this.#wakeAt = nextWake(this.supervision, this.clock.now);
  }

  #perform(effect: AnyEffect): void {
    const { clock } = this;
    const process = 'worker' in effect ? this.processes.get(effect.worker) : undefined;
    switch (effect.do) {
      case 'spawn': {
        const { worker: id, slot, generation, held } = effect;
        const condition = held ? 'held' : 'serving';
        const fresh: Process = { id, slot, generation, condition, alive: true, accepts: false, attached: true };
        this.processes.set(id, fresh);
        this.dispatch({ type: 'spawned', worker: id, pid: 100 + id });
        this.#bindLater(fresh);
        return;
      }
      case 'takeIn':
        if (process !== undefined) process.attached = true;
        return;
      case 'seize': {
        if (clock.happens(0.2)) return;
        const reason = clock.happens(0.3) ? 'EPERM' : null;
        clock.after(clock.between(0, 500), () => this.dispatch({ type: 'seized', worker: effect.worker, reason }));
        return;
      }
      case 'drain':
        if (process === undefined) return;
        process.accepts = false;
        process.condition = 'draining';
        clock.after(clock.between(0, 300), () => {
          if (process.alive) this.dispatch({ type: 'drained', worker: effect.worker });
        });
        return;
      case 'terminate':
        clock.after(clock.between(0, 100), () => process && this.#exit(process));
        return;
      case 'kill':
        // One is stuck in the kernel for a while.
        if (process?.fate === 'stuckForGood' && clock.now < 20_000) return;
        clock.after(clock.between(0, 50), () => process && this.#exit(process));
        return;
      case 'askHealth':
        clock.after(1, () => this.dispatch({ type: 'healthTold', worker: effect.worker, reason: null }));
    }
  }

  drive(time: number): void {
    for (;;) {
      const deadline = nextWake(this.supervision, this.clock.now) ?? Number.POSITIVE_INFINITY;
      const next = this.clock.next ?? Number.POSITIVE_INFINITY;
      if (Math.min(deadline, next) > time) return;
      if (next <= deadline) {
        this.clock.advance();
        continue;
      }
      this.clock.now = deadline;
      this.dispatch({ type: 'ticked' });
      const following = nextWake(this.supervision, this.clock.now);
      check(following === null || following > this.clock.now, 'what is due is done, not slept for again', this.state);
    }
  }

  /** Called when all that was to happen has. */
  checkRest(): void {
    const { state } = this;
    check(state.takeover === null, 'the take-over is over', state.takeover);
    const { answered } = this.#invariants;
    check(answered.size === this.requests, 'every request is answered', [...answered]);
    const alive = [...this.processes.values()].filter((process) => process.alive);
    const unheard = alive.filter(({ id }) => !state.workers.some((worker) => worker.id === id));
    check(unheard.length === 0, 'no process is left that nobody knows', unheard);
    if (state.phase === 'stopped') {
      check(alive.length === 0, 'no process outlives a stop', alive);
      return;
    }
    check(state.phase === 'running', 'it runs', state);
    check(state.target === state.stable && state.rollout.state !== 'running', 'no rollout is left', state);
    for (let slot = 0; slot < state.size; slot++) {
      const own = state.workers.filter((worker) => worker.slot === slot);
      check(own.length === 1 && own[0]?.state === 'ready', 'each slot has its worker', own);
      const accepting = alive.filter((process) => process.slot === slot && process.accepts);
      const isHeld = alive.some((process) => process.slot === slot && process.condition === 'held');
      check(accepting.length <= 1 && accepting.length + Number(isHeld) > 0, 'and one accepts there', accepting);
    }
    check(state.workers.length === state.size, 'and nobody else is left', state.workers);
  }
}
