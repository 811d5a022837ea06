/** How the supervisor is at this moment, as it tells whoever asks. Decides nothing. */
import { judgeProbe } from '../../core/probes.js';
import { servedSlots, serves } from '../../core/state/standing.js';
import type { SteeringChoice } from '../../platform/mode.js';
import type { ProbeAnswer, ProbeName } from '../../protocol/admin.js';
import type { SupervisorStatus, UpgradeStatus } from '../../protocol/status.js';
import type { Started } from '../supervisor-options.js';
import type { SupervisorParts } from '../supervisor-parts.js';
import { type SteeringState, steeringState } from '../upkeep/steering/steering-state.js';
import type { Watchers } from '../upkeep/watchers.js';
import { collectStatus, type StatusExtent } from './status.js';

export interface OverviewParts extends SupervisorParts {
  readonly watchers: Watchers;
  readonly upgrade: () => UpgradeStatus;
}

export class Overview {
  readonly #parts: OverviewParts;

  constructor(parts: OverviewParts) {
    this.#parts = parts;
  }

  status(extent: StatusExtent): Promise<SupervisorStatus> {
    const { options, loop, releases, custody, shared, workforce, watchers, startedAt, upgrade } = this.#parts;
    const { release, version, listenMode, listenModeReason } = options;
    const { state } = loop;
    const present = releases.of(state, state.target);
    return collectStatus(
      {
        ...{ state, version, startedAt, listenMode, listenModeReason, custody, shared },
        name: release.config.name,
        script: present.script,
        exec: present.config.exec,
        release: { folder: present.cwd, loadedAtMs: present.loadedAtMs },
        steering: this.steering(),
        affinity: release.config.affinity,
        weights: watchers.steering?.programs.weights ?? new Map(),
        workers: workforce.workers,
        stats: workforce.stats,
        canaryFigures: watchers.canary.figures,
        handover: { on: present.config.handover === 'on', ...workforce.handover },
        cutOff: workforce.cutOff,
        upgrade: upgrade(),
      },
      extent,
    );
  }

  probe(name: ProbeName): ProbeAnswer {
    return judgeProbe(name, this.#parts.loop.state);
  }

  started(): Started {
    const { options, loop, custody } = this.#parts;
    const { state } = loop;
    const { name } = options.release.config;
    const serving = state.workers.filter(serves);
    const addresses = custody.list().filter(({ key }) => serving.some(({ listening }) => listening.includes(key)));
    return { name, size: state.size, ready: servedSlots(state), addresses };
  }

  steering(): SteeringState {
    const { loop, watchers, workforce } = this.#parts;
    const { state, sockets } = loop;
    const failure = watchers.steering?.programs.failure ?? null;
    const missing = (worker: number) => workforce.workers.get(worker)?.missing ?? [];
    return steeringState({ choice: this.#choice, failure, state, sockets, missing });
  }

  get #choice(): SteeringChoice {
    const { takeover, steering } = this.#parts.options;
    const [address] = takeover?.unsteered ?? [];
    if (address === undefined) return steering;
    return { steered: false, reason: `${address} was taken over, and the order of its sockets is not known` };
  }
}
