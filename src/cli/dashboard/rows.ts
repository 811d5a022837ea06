/** What the dashboard tells of each supervisor, out of its status and what is known of it from before. Pure. */
import type { DashboardRow } from '../../protocol/page.js';
import type { SupervisorStatus } from '../../protocol/status.js';
import type { History } from '../top/model/history.js';

/** An address without a host is on loopback, and one of all addresses is there as well. */
const EVERYWHERE = /^(?:|\*|0\.0\.0\.0|\[::\])$/;

/**
 * Where the page of an admin address is for who is on this machine.
 *
 * @param admin as it stands in the configuration: `9000`, `:9000`, `10.0.0.1:9000`, `[::1]:9000`
 */
export function pageOf(admin: string | null): string | null {
  const [, host = '', port] = /^(?:(\[[\da-fA-F:.]+\]|[\w.*-]*):)?(\d{1,5})$/.exec(admin ?? '') ?? [];
  if (port === undefined) return null;
  return `http://${EVERYWHERE.test(host) ? '127.0.0.1' : host}:${port}/`;
}

/** @param page where its own page is */
export function rowOf(name: string, { status, all }: History, page: string | null): DashboardRow {
  if (status === null) return { name, facts: null };
  const { pid, version, state, uptimeMs, generation, release, size, crashLoop, rollout, totals, workers } = status;
  const { crashed, failed, hung } = totals.restarts;
  return {
    name,
    facts: {
      ...{ pid, version, state, uptimeMs, generation, size, crashLoop, page },
      release: release?.folder ?? null,
      ready: workers.filter((worker) => worker.state === 'ready').length,
      restarts: crashed + failed + hung,
      rollout: { state: rollout.state, reason: rollout.reason },
      requests: all.requestsPerS,
      errors: all.errorsPerS,
      p99Ms: all.p99Ms,
      cpu: sumOf(status, ({ cpuPercent }) => (cpuPercent === null ? null : cpuPercent / 100)),
      memoryBytes: sumOf(status, ({ rssBytes }) => rssBytes),
    },
  };
}

function sumOf(
  { workers }: SupervisorStatus,
  value: (worker: SupervisorStatus['workers'][number]) => number | null,
): number | null {
  const known = workers.flatMap((worker) => value(worker) ?? []);
  return known.length === 0 ? null : known.reduce((sum, one) => sum + one, 0);
}
