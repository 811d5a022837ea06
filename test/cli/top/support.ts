/** Statuses, and what is to be seen of a state. */

import { cellsOf } from '../../../src/cli/output/cells.js';
import { type Line, textOf } from '../../../src/cli/output/runs.js';
import { begin, type State, type TopEvent, update } from '../../../src/cli/top/model/model.js';
import { view } from '../../../src/cli/top/view/view.js';
import type { SupervisorStatus, WorkerStatus } from '../../../src/protocol/status.js';
import { statusOf } from '../../control/support/fake-target.js';

export function worker(slot: number, more: Partial<WorkerStatus> = {}): WorkerStatus {
  return {
    ...{ id: slot + 1, slot, generation: 3, pid: 4_000 + slot, state: 'ready', uptimeMs: 60_000, restarts: 0 },
    ...{ recycled: 0, restartReason: null, scriptChanged: false, missing: [], cpuPercent: 12.3 },
    ...{ rssBytes: 48 * 1024 ** 2, eventLoopDelayMs: 0.3, connections: 7, accepted: 100, requests: 1_000 },
    figures: { answers: 1_000, serverErrors: 0, latency: [1_000] },
    ...more,
  };
}

export function workers(count: number, more: (slot: number) => Partial<WorkerStatus> = () => ({})): WorkerStatus[] {
  return Array.from({ length: count }, (_none, slot) => worker(slot, more(slot)));
}

export function status(list: readonly WorkerStatus[], more: Partial<SupervisorStatus> = {}): SupervisorStatus {
  const sockets = list.map(({ slot }) => ({ slot, weight: 64, queueLength: slot % 2, backlog: 511 }));
  const addresses = [{ kind: 'tcp' as const, host: '127.0.0.1', port: 3000, sockets }];
  return statusOf('shop', { pid: 4711, size: list.length, addresses, workers: list, ...more });
}

/** Two looks, a second apart: each worker has answered `slot * 10` requests in between, one of them badly. */
export function lookedAt(count: number, more: Partial<SupervisorStatus> = {}): State {
  const later = (slot: number): Partial<WorkerStatus> => ({
    requests: 1_000 + slot * 10,
    figures: { answers: 1_000 + slot * 10, serverErrors: 1, latency: [1_000 + slot * 9, 0, 0, 0, slot] },
  });
  return after(begin('shop', 0), [
    { type: 'status', status: status(workers(count), { ...more, uptimeMs: 65_000 }) },
    { type: 'status', status: status(workers(count, later), { ...more, uptimeMs: 66_000 }) },
  ]);
}

export function after(state: State, events: readonly TopEvent[], nowMs = 1_000): State {
  return events.reduce((now, event) => update(now, event, nowMs).state, state);
}

export function keys(state: State, ...pressed: readonly string[]): State {
  return after(
    state,
    pressed.map((key) => ({ type: 'key', key })),
  );
}

export interface Picture {
  readonly lines: readonly string[];
  readonly text: string;
  readonly widest: number;
}

export function picture(state: State, width: number, height: number): Picture {
  const drawn: readonly Line[] = view(state, { width, height });
  const lines = drawn.map((line) => textOf(line).trimEnd());
  return { lines, text: lines.join('\n'), widest: Math.max(...drawn.map((line) => cellsOf(textOf(line)))) };
}
