/** `holdfast upgrade`: the supervisor is replaced in place; the workers and their connections stay. */
import path from 'node:path';
import { upgradeOver } from '../../control/client/upgrade-arrival.js';
import type { SupervisorStatus } from '../../protocol/status.js';
import { type Command, flagText } from '../process/context.js';
import { type Perform, request } from './request.js';

export const run: Command = (invocation, context) => {
  const node = flagText(invocation, 'node');
  const options = node === undefined ? {} : { node: path.resolve(context.cwd, node) };
  let now: SupervisorStatus | null = null;
  const onArrived = (status: SupervisorStatus) => {
    now = status;
  };
  const perform: Perform = (connection, onProgress, signal) =>
    upgradeOver(connection, options, onProgress, { onArrived, ...(signal !== undefined && { signal }) });
  return request(perform, 'upgrade', invocation, context, () => (now === null ? '' : whatRuns(now)));
};

function whatRuns({ version, nodeVersion, pid, workers }: SupervisorStatus): string {
  return `  holdfast ${version} on Node ${nodeVersion.replace(/^v/, '')}, PID ${pid} as before, with the same ${workers.length} worker${workers.length === 1 ? '' : 's'}\n`;
}
