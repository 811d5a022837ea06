/** `holdfast reload --follow`: the rollout that is under way, to its end, whoever has asked for it. */
import type { Connection, ProgressLine, ResultLine } from '../../control/client/client.js';
import { EXIT, HoldfastError } from '../../errors.js';
import type { SupervisorEvent } from '../../protocol/events.js';

/** @throws HoldfastError NO_ROLLOUT; CONNECTION_LOST */
export async function followRollout(
  connection: Connection,
  onProgress: (line: ProgressLine) => void,
  signal?: AbortSignal,
): Promise<ResultLine> {
  const { name } = connection;
  for await (const event of connection.events(signal)) {
    const end = endOf(event);
    if (end !== null) return end;
    if (event.type === 'snapshot') {
      if (event.rollout.state === 'running') continue;
      throw new HoldfastError('NO_ROLLOUT', `cannot follow the rollout of ${name}: none is under way`, {
        hint: `how it stands: holdfast status --name ${name}`,
        exitCode: EXIT.failed,
      });
    }
    const { id: _id, type, ...fields } = event;
    onProgress({ type: 'progress', message: wordsOf(type), fields });
  }
  throw new HoldfastError('CONNECTION_LOST', `cannot follow the rollout of ${name}: the supervisor has ended`, {
    hint: 'see what runs: holdfast status',
  });
}

function endOf(event: SupervisorEvent): ResultLine | null {
  if (event.type === 'rolloutDone') return { type: 'result', ok: true, message: 'rollout done', reason: null };
  if (event.type !== 'rolloutTakenBack') return null;
  return { type: 'result', ok: false, message: 'failed', reason: event.reason };
}

/** `workerReady` → `worker ready` */
function wordsOf(type: string): string {
  return type.replace(/[A-Z]/g, (capital) => ` ${capital.toLowerCase()}`);
}
