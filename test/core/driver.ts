/**
 * Drives the core and its table of sockets by hand: feeds them events, collects their effects, and lets time pass as the
 * real loop does.
 *
 * Every state is frozen but while `step` works on its copy, so what a test has kept stays as it was.
 */
import { adoptersOf } from '../../src/core/adoption/loans.js';
import type { SocketTable } from '../../src/core/adoption/types.js';
import type { Policy, SocketId, State, Worker } from '../../src/core/state/types.js';
import {
  type AnyEffect,
  type AnyEvent,
  advance,
  initialSupervision,
  nextWake,
  type Supervision,
} from '../../src/core/supervision.js';
import type { ListenMode } from '../../src/protocol/status.js';
import { copyOf } from './copy.js';

export const PORT = '0.0.0.0:8080';

export function makePolicy(change: Partial<Policy> = {}): Policy {
  return {
    release: 1,
    ready: 'listening',
    readyTimeoutMs: 10_000,
    minUptimeMs: 1_000,
    health: false,
    healthIntervalMs: 1_000,
    soakMs: 0,
    trialMs: 0,
    surge: 1,
    maxDraining: 3,
    drainTimeoutMs: 30_000,
    spreadMs: 5_000,
    handover: true,
    killTimeoutMs: 5_000,
    backoffBaseMs: 100,
    backoffMaxMs: 10_000,
    backoffFactor: 2,
    backoffResetMs: 60_000,
    maxRestarts: 5,
    restartWindowMs: 60_000,
    onCrashLoop: 'keep',
    stopExitCodes: [],
    slowStartMs: 0,
    ...change,
  };
}

export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const part of Array.isArray(value) ? value : Object.values(value)) deepFreeze(part);
  return value;
}

export interface Answer {
  readonly ok: boolean;
  readonly reason: string | null;
}

export interface DriverOptions {
  readonly size?: number;
  readonly listenMode?: ListenMode;
  readonly steered?: boolean;
  readonly policy?: Partial<Policy>;
}

export class Driver {
  supervision: Supervision;
  now = 1_000;
  /** All effects but reports, oldest first. */
  readonly effects: AnyEffect[] = [];
  readonly answers = new Map<number, Answer>();
  readonly policy: Policy;
  onReport: (report: Extract<AnyEffect, { do: 'report' }>) => void = () => {};
  #requests = 0;

  constructor({ size = 1, listenMode = 'reuseport', steered = false, policy = {} }: DriverOptions = {}) {
    this.policy = makePolicy(policy);
    this.supervision = initialSupervision({ size, listenMode, steered, policy: this.policy });
  }

  get state(): State {
    return this.supervision.state;
  }

  get table(): SocketTable {
    return this.supervision.sockets;
  }

  /** When it has to be woken up. */
  get deadline(): number | null {
    return nextWake(this.supervision, this.now);
  }

  /** @returns what this one event has caused, without reports */
  send(event: AnyEvent): AnyEffect[] {
    const supervision = copyOf(this.supervision);
    const { effects, faults } = advance(supervision, [deepFreeze(event)], this.now);
    if (faults[0] !== undefined) throw faults[0].error;
    // Nobody but the core may write it.
    this.supervision = deepFreeze(supervision);
    for (const effect of effects) if (effect.do === 'report') this.onReport(effect);
    const done = effects.filter((effect) => effect.do !== 'report');
    this.effects.push(...done);
    for (const effect of done) {
      if (effect.do !== 'answer') continue;
      if (this.answers.has(effect.request)) throw new Error(`request ${effect.request} is answered twice`);
      this.answers.set(effect.request, { ok: effect.ok, reason: effect.reason });
    }
    return done;
  }

  /** Lets time pass and wakes the core at each of its deadlines. */
  wait(ms: number): AnyEffect[] {
    const from = this.effects.length;
    const end = this.now + ms;
    for (let wakes = 0; ; wakes++) {
      const { deadline } = this;
      if (deadline === null || deadline > end) break;
      if (wakes > 1_000) throw new Error('the core keeps waking up');
      this.now = deadline;
      this.send({ type: 'ticked' });
    }
    this.now = end;
    return this.effects.slice(from);
  }

  // ---- requests: each returns its number ----

  reload(policy: Partial<Policy> = {}, size: number | null = null): number {
    return this.#request((request) => ({ type: 'reload', request, policy: { ...this.policy, ...policy }, size }));
  }

  restart(policy: Partial<Policy> = {}, size: number | null = null): number {
    return this.#request((request) => ({ type: 'restart', request, policy: { ...this.policy, ...policy }, size }));
  }

  scale(size: number): number {
    return this.#request((request) => ({ type: 'scale', request, size }));
  }

  stop(): number {
    return this.#request((request) => ({ type: 'stop', request }));
  }

  #request(make: (request: number) => AnyEvent): number {
    this.#requests += 1;
    this.send(make(this.#requests));
    return this.#requests;
  }

  // ---- what workers do ----

  /** It listens and goes on to, which makes it ready unless it also has to say so. */
  bind(id: number, ...keys: string[]): void {
    for (const key of keys.length === 0 ? [PORT] : keys) {
      this.open(id, key);
      this.send({ type: 'bound', worker: id, key });
      this.send({ type: 'stayed', worker: id, key });
    }
  }

  /** It has asked to listen and is given the socket. */
  open(id: number, key: string): void {
    const slot = this.state.listenMode === 'reuseaddr' ? null : this.worker(id).slot;
    this.send({ type: 'socketOpened', socket: { slot, key }, worker: id });
  }

  crash(id: number, ...lastLines: string[]): AnyEffect[] {
    return this.send({ type: 'exited', worker: id, code: 1, signal: null, chance: 0.5, lastLines });
  }

  /** What was asked of it is done. */
  exit(id: number): AnyEffect[] {
    return this.send({ type: 'exited', worker: id, code: 0, signal: null, chance: 0.5, lastLines: [] });
  }

  /** Everything that drains or has been told to end does so. */
  clear(): void {
    for (const { id, state, listening } of this.state.workers) {
      if (state === 'starting' || state === 'ready') continue;
      for (const key of listening) this.send({ type: 'closed', worker: id, key });
      this.send({ type: 'drained', worker: id });
      this.exit(id);
    }
  }

  /** All that are starting listen. */
  bindAll(...keys: string[]): void {
    for (const { id, state } of this.state.workers) if (state === 'starting') this.bind(id, ...keys);
  }

  /** The first start, to its good end. */
  static running(options: DriverOptions = {}, ...keys: string[]): Driver {
    const driver = new Driver(options);
    driver.send({ type: 'start' });
    driver.bindAll(...keys);
    driver.effects.length = 0;
    return driver;
  }

  /** Lets good workers do what they do until nothing is left to do. */
  settle(...keys: string[]): void {
    for (let turn = 0; turn < 100; turn++) {
      const before = this.effects.length;
      this.bindAll(...keys);
      this.clear();
      if (before !== this.effects.length || this.count('starting') > 0) continue;
      const { deadline } = this;
      if (deadline === null) return;
      this.wait(deadline - this.now);
    }
    throw new Error('the core does not settle');
  }

  // ---- what is to be seen ----

  worker(id: number): Worker {
    const found = this.state.workers.find((worker) => worker.id === id);
    if (found === undefined) throw new Error(`no worker ${id}`);
    return found;
  }

  /** The newest worker of a slot. */
  in(slot: number): number {
    return Math.max(...this.state.workers.filter((worker) => worker.slot === slot).map((worker) => worker.id));
  }

  /** The slots, each with the generation and state of its workers: `1 ready, 2 starting`. */
  slots(): string[] {
    const slots: string[] = [];
    const known = [this.state.size, ...this.state.workers.map((worker) => worker.slot + 1)];
    for (let slot = 0; slot < Math.max(...known); slot++) {
      const workers = this.state.workers.filter((worker) => worker.slot === slot);
      slots.push(workers.map(({ generation, state }) => `${generation} ${state}`).join(', '));
    }
    return slots;
  }

  count(...states: Worker['state'][]): number {
    return this.state.workers.filter((worker) => states.includes(worker.state)).length;
  }

  /** The effects of one kind so far. */
  done<T extends AnyEffect['do']>(what: T): Extract<AnyEffect, { do: T }>[] {
    return this.effects.filter((effect): effect is Extract<AnyEffect, { do: T }> => effect.do === what);
  }

  get sockets(): SocketId[] {
    return this.table.sockets.map(({ slot, key }) => ({ slot, key }));
  }

  /** Sockets of other slots on which a worker accepts, as far as is known. */
  adopted(worker: number): SocketId[] {
    return this.table.sockets
      .filter((socket) => adoptersOf(socket).includes(worker))
      .map(({ slot, key }) => ({ slot, key }));
  }
}
