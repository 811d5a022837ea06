/** What goes from one program to the next by an upgrade, beside the workers' state: taken up here, and laid out for the next. */
import { closeSync } from 'node:fs';
import type { ListenAddress } from '../../config/schema/listen-address.js';
import type { AdminServer } from '../../control/admin/admin.js';
import type { Log } from '../../logs/logger.js';
import type { PassedWorkers } from '../takeover/takeover.js';
import type { Arrival } from './arrival.js';
import type { PassedAdmin } from './passed-state.js';

export function passedWorkers(arrival: Arrival | null): PassedWorkers | null {
  return arrival === null ? null : { before: arrival.state, collect: (pid) => arrival.exec.collect(pid) };
}

export function passableAdmin(address: ListenAddress | null, admin: AdminServer | null): PassedAdmin | null {
  const fd = admin?.fd ?? null;
  return address === null || fd === null ? null : { fd, ...address };
}

/** Closed where the configuration has another address by now. */
export function passedAdminFd(address: ListenAddress | null, { state }: Arrival): number | undefined {
  const { admin } = state.upgrade;
  if (admin === null) return undefined;
  if (address?.host === admin.host && address.port === admin.port) return admin.fd;
  closeSync(admin.fd);
  return undefined;
}

/** All workers have been taken over: the version before is no longer needed. */
export function tellArrived(arrival: Arrival, log: Log): void {
  if (!arrival.isPending()) return;
  arrival.done();
  const { id, version, nodeVersion, failure } = arrival.state.upgrade;
  const fields = { upgrade: id, from: { version, nodeVersion } };
  if (failure === null) log.logger.info(fields, 'supervisor replaced');
  else log.logger.error({ upgrade: id, reason: failure }, 'upgrade failed: the previous version goes on');
}
