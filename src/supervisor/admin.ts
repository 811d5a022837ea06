/** Opens the admin address, and answers it for the supervisor. */
import type { ListenAddress } from '../config/listen-address.js';
import { AdminServer } from '../control/admin.js';
import { Metrics } from '../monitor/metrics.js';
import type { SupervisorStatus } from '../protocol.js';
import { BindError } from '../sockets/bind-error.js';
import { findOwner } from '../sockets/owner.js';
import type { Supervisor } from './supervisor.js';

/** @param fd listens there already. @throws BindError where it cannot listen there */
export async function openAdmin(
  { host, port }: ListenAddress,
  names: readonly string[],
  supervisor: Supervisor,
  fd?: number,
): Promise<AdminServer> {
  const metrics = new Metrics();
  const startedAtSeconds = performance.timeOrigin / 1000;
  let underWay: Promise<SupervisorStatus> | null = null;
  // The workers are asked once for all who want to know at the same time.
  const status = () => {
    underWay ??= supervisor.status().finally(() => {
      underWay = null;
    });
    return underWay;
  };
  const target = {
    probe: supervisor.probe.bind(supervisor),
    status,
    metrics: async () => {
      const { user, system } = process.cpuUsage();
      const own = { cpuSeconds: (user + system) / 1e6, rssBytes: process.memoryUsage.rss(), startedAtSeconds };
      return metrics.render(await status(), own);
    },
  };
  try {
    return await AdminServer.open({ host, port, names, target, fd });
  } catch (cause) {
    const { errno, code } = cause as NodeJS.ErrnoException;
    if (errno === undefined) throw cause;
    const owner = code === 'EADDRINUSE' ? await findOwner(host, port) : null;
    const hint = code === 'EADDRINUSE' ? 'stop that process, or choose another address with --admin' : undefined;
    throw new BindError({ host, port }, errno, { owner, cause, hint });
  }
}
