/** What the core decides, done by the part that does it: one case an effect, and nothing is weighed here. */

import type { State } from '../core/state/types.js';
import type { AnyEffect } from '../core/supervision.js';
import type { Log } from '../logs/logger.js';
import type { Custody } from '../sockets/custody/custody.js';
import type { SharedSockets } from '../sockets/custody/shared.js';
import type { Releases } from './deployments/releases.js';
import type { EventHub } from './events/event-hub.js';
import type { Loop } from './loop.js';
import type { Requests } from './requests.js';
import type { Takeover } from './takeover/takeover.js';
import type { CanaryWatch } from './upkeep/canary-watch.js';
import type { Workforce } from './workers/workforce.js';

export interface EffectParts {
  readonly loop: Loop;
  readonly workforce: Workforce;
  readonly custody: Custody;
  readonly shared: SharedSockets;
  readonly releases: Releases;
  readonly requests: Requests;
  readonly canary: CanaryWatch;
  readonly events: EventHub;
  readonly log: Log;
  /** null where there can be nobody to take over. */
  readonly takeover: Takeover | null;
  /** Ends whatever asks the workers by itself, and deployments that have not begun. */
  readonly closeWatchers: () => void;
  /** The workers are ready for the first time. */
  readonly announce: () => void;
  /** The worker processes are as they will stay for a while. */
  readonly tidyUp: () => void;
  /** Told of everything that the core reports. */
  readonly onReport: (message: string, fields: Readonly<Record<string, unknown>>) => void;
  /** @param reason where it is a failure */
  readonly end: (reason: string | null) => void;
}

export function isStopping({ phase }: State): boolean {
  return phase === 'stopping' || phase === 'stopped';
}

export class Effects {
  readonly #parts: EffectParts;
  #custodyClosed: Promise<void> = Promise.resolve();

  constructor(parts: EffectParts) {
    this.#parts = parts;
  }

  #isDeclared(key: string): boolean {
    const { loop, releases, workforce } = this.#parts;
    const { state } = loop;
    return workforce.programs?.isDeclared(releases.of(state, state.target), key) ?? false;
  }

  /** @throws what kept it from being done: see `Loop.failed` */
  perform(effect: AnyEffect): void {
    const { loop, workforce, custody, shared, releases, requests, canary, log } = this.#parts;
    const { state } = loop;
    switch (effect.do) {
      case 'spawn': {
        const release = releases.of(state, effect.generation);
        workforce.spawn(effect, release);
        break;
      }
      case 'takeIn':
        workforce.takeIn(effect, releases.of(state, effect.generation));
        break;
      case 'seize':
        this.#parts.takeover?.seize(effect.worker);
        break;
      case 'endTakeover':
        workforce.endTakeover(effect.held);
        break;
      case 'drain':
        workforce.drain(effect.worker, { ...effect, emptyQueue: isStopping(state) }, effect);
        break;
      case 'link':
        workforce.link(effect.worker, effect);
        break;
      case 'terminate':
        workforce.terminate(effect.worker);
        break;
      case 'kill':
        workforce.kill(effect.worker, releases.of(state, state.stable).config.keepChildren);
        break;
      case 'accept':
        workforce.accept(effect.worker);
        break;
      case 'askHealth':
        workforce.askHealth(effect.worker);
        break;
      case 'diagnose':
        workforce.diagnose(effect.worker);
        break;
      case 'lookAround':
        workforce.lookAround(effect.worker);
        break;
      case 'judgeCanary':
        canary.judge(effect.generation).catch((error: unknown) => loop.failed(effect, error));
        break;
      case 'adopt':
        workforce.adopt(effect.worker, effect.socket);
        break;
      case 'release':
        workforce.release(effect.worker, effect.socket);
        break;
      case 'widen':
        workforce.adopt(effect.worker, effect.socket, effect.under);
        break;
      case 'openContested':
        workforce.openContested(effect.worker, effect.key);
        break;
      case 'refuseContested':
        loop.dispatch({ type: 'failed', worker: effect.worker, reason: effect.reason });
        break;
      case 'closeSocket':
        // What the configuration lists stays open, whoever listens.
        if (this.#isDeclared(effect.socket.key)) break;
        if (!shared.release(effect.socket.key)) custody.release(effect.socket.slot, effect.socket.key);
        break;
      case 'closeCustody':
        this.#parts.closeWatchers();
        this.#custodyClosed = workforce.closeCustody().catch((error: unknown) => loop.failed(effect, error));
        break;
      case 'forgetGeneration':
        releases.forget(state);
        // A generation has gone: a rollout is over, and nothing is urgent.
        this.#parts.tidyUp();
        break;
      case 'answer':
        requests.answer(effect.request, effect.ok, effect.reason);
        break;
      case 'announceStart':
        this.#parts.announce();
        this.#parts.tidyUp();
        break;
      case 'end':
        loop.close();
        // Whoever starts the next one at once must find the addresses free.
        void Promise.all([this.#custodyClosed, workforce.leftBehind.gone()]).then(() => this.#parts.end(effect.reason));
        break;
      case 'report':
        log.logger[effect.level](effect.fields, effect.message);
        this.#parts.events.reported(effect.message, effect.fields);
        this.#parts.onReport(effect.message, effect.fields);
        if (effect.level !== 'debug') requests.progress(effect.message, effect.fields);
        break;
    }
  }
}
