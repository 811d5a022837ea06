/** Puts the status together: from the core's state, from custody, from the workers and from the system. */
import { isFirst, seats, soakedAt } from '../../core/state/standing.js';
import type { State } from '../../core/state/types.js';
import { type Usage, usage } from '../../monitor/usage.js';
import type { ConnectionCounts } from '../../protocol/measured.js';
import type {
  AddressStatus,
  CanaryStatus,
  HandoverTotals,
  ListenMode,
  ReleaseStatus,
  SocketStatus,
  SupervisorStatus,
  TrialStatus,
  UpgradeStatus,
} from '../../protocol/status.js';
import type { Custody, CustodySocket } from '../../sockets/custody/custody.js';
import type { SharedSockets } from '../../sockets/custody/shared.js';
import type { SteeringState } from '../upkeep/steering/steering-state.js';
import type { WorkerHandle } from '../workers/process/handle.js';
import type { Stats, WorkerStats } from '../workers/questions/stats.js';

export interface StatusSource {
  readonly state: State;
  readonly name: string;
  readonly version: string;
  readonly script: string;
  readonly exec: boolean;
  readonly release: ReleaseStatus;
  readonly startedAt: number;
  readonly listenMode: ListenMode;
  readonly listenModeReason: string;
  readonly steering: SteeringState;
  readonly affinity: 'none' | 'client-ip';
  readonly custody: Custody;
  readonly shared: SharedSockets;
  /** As the steering program in force has them. */
  readonly weights: ReadonlyMap<CustodySocket, number>;
  readonly workers: ReadonlyMap<number, WorkerHandle>;
  readonly stats: WorkerStats;
  readonly canaryFigures: CanaryStatus['figures'];
  readonly handover: HandoverTotals;
  readonly cutOff: ConnectionCounts;
  readonly upgrade: UpgradeStatus;
}

/** `outline`: no worker is asked, and the system of none; `figures`: what they have answered, too. */
export type StatusExtent = 'outline' | 'all' | 'figures';

export async function collectStatus(source: StatusSource, extent: StatusExtent): Promise<SupervisorStatus> {
  const now = performance.now();
  // Before anything is waited for: a blocked worker takes a second not to answer, and queues do not wait.
  const listening = [...addresses(source.custody, source.weights), ...sharedAddresses(source.shared)];
  if (extent === 'outline')
    return statusOf(source, source.state, now, { extent, listening, used: new Map(), answers: [] });
  // Of this moment: the core goes on while the workers are asked.
  const state = structuredClone(source.state);
  const pids = [process.pid, ...state.workers.flatMap((worker) => worker.pid ?? [])];
  const [used, answers] = await Promise.all([
    usage(pids),
    Promise.all(
      state.workers.map((worker) => {
        const handle = source.workers.get(worker.id);
        return handle === undefined ? null : source.stats.ask(handle, extent === 'figures');
      }),
    ),
  ]);
  return statusOf(source, state, now, { extent, listening, used, answers });
}

interface Asked {
  readonly extent: StatusExtent;
  readonly listening: readonly AddressStatus[];
  readonly used: ReadonlyMap<number, Usage>;
  /** In the order of the state's workers. */
  readonly answers: readonly (Stats | null)[];
}

/** @param state may be the one that the core writes into: nothing of what is returned is a part of it */
function statusOf(source: StatusSource, state: State, now: number, asked: Asked): SupervisorStatus {
  const { extent, listening, used, answers } = asked;
  const own = used.get(process.pid);
  const { restarts, rollouts } = state.totals;
  const slots = new Map(state.slots.map((slot) => [slot.slot, slot]));
  return {
    name: source.name,
    pid: process.pid,
    version: source.version,
    nodeVersion: process.version,
    state: state.phase === 'restarting' ? 'running' : state.phase,
    uptimeMs: Math.round(now - source.startedAt),
    script: source.script,
    exec: source.exec,
    release: source.release,
    listenMode: source.listenMode,
    listenModeReason: source.listenModeReason,
    steering: source.steering.steered,
    steeringReason: source.steering.reason,
    affinity: source.affinity,
    generation: state.target,
    size: state.size,
    addresses: listening,
    rollout: {
      state: state.rollout.state === 'rollingBack' ? 'running' : state.rollout.state,
      reason: state.rollout.reason,
      from: state.rollout.state === 'none' ? null : state.rollout.from,
      to: state.rollout.state === 'none' ? null : state.rollout.to,
      canary: canaryStatus(state, source, now),
      trial: trialStatus(state, now),
    },
    crashLoop: state.crashLoop,
    totals: { restarts: { ...restarts }, rollouts: { ...rollouts } },
    handover: { ...source.handover, stayed: { ...source.handover.stayed } },
    cutOff: { ...source.cutOff },
    cpuPercent: own?.cpuPercent ?? null,
    rssBytes: own?.rssBytes ?? null,
    upgrade: source.upgrade,
    workers: state.workers.map((worker, index) => {
      const taken = worker.pid === null ? undefined : used.get(worker.pid);
      const stats = answers[index] ?? null;
      const slot = slots.get(worker.slot);
      return {
        id: worker.id,
        slot: worker.slot,
        generation: worker.generation,
        pid: worker.pid,
        state: worker.state,
        uptimeMs: Math.round(now - worker.startedAt),
        restarts: slot?.restarts ?? 0,
        recycled: slot?.recycled ?? 0,
        restartReason: slot?.reason ?? null,
        scriptChanged: source.workers.get(worker.id)?.scriptChanged ?? false,
        missing: source.workers.get(worker.id)?.missing ?? [],
        cpuPercent: taken?.cpuPercent ?? null,
        rssBytes: taken?.rssBytes ?? null,
        eventLoopDelayMs: stats?.eventLoopDelayMs ?? null,
        connections: stats?.connections ?? null,
        accepted: stats?.accepted ?? null,
        requests: stats?.requests ?? null,
        ...(extent === 'figures' && stats?.figures && { figures: stats.figures }),
      };
    }),
  };
}

function canaryStatus({ rollout: { canary } }: State, source: StatusSource, now: number): CanaryStatus | null {
  if (canary === null) return null;
  const { slot, share, until } = canary;
  const remainingMs = until === null ? null : Math.max(0, Math.round(until - now));
  return { slot, share, exact: source.steering.exact, remainingMs, figures: source.canaryFigures };
}

function trialStatus(state: State, now: number): TrialStatus | null {
  const { trial } = state.rollout;
  if (trial === null) return null;
  const worker = state.workers.find((candidate) => seats(candidate) && isFirst(state, candidate));
  const at = worker === undefined ? null : soakedAt(state, worker);
  return { slot: trial.slot, remainingMs: at === null ? null : Math.max(0, Math.round(at - now)) };
}

function addresses(custody: Custody, weights: ReadonlyMap<CustodySocket, number>): AddressStatus[] {
  const byAddress = new Map<string, { kind: 'tcp'; host: string; port: number; sockets: SocketStatus[] }>();
  for (const socket of custody.list()) {
    const found = byAddress.get(socket.key) ?? { kind: 'tcp', host: socket.host, port: socket.port, sockets: [] };
    const queue = custody.queue(socket);
    found.sockets.push({
      slot: socket.slot,
      weight: weights.get(socket) ?? null,
      queueLength: queue?.length ?? null,
      backlog: queue?.limit ?? null,
    });
    byAddress.set(socket.key, found);
  }
  return [...byAddress.values()];
}

function sharedAddresses(shared: SharedSockets): AddressStatus[] {
  const sockets = [{ slot: null, weight: null, queueLength: null, backlog: null }];
  return shared.list().map(({ kind, host, port }) => ({ kind, host: host.replace(/^\0/, '@'), port, sockets }));
}
