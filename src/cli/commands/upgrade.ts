/** `holdfast upgrade`: the supervisor is replaced in place; the workers and their connections stay. */
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Connection } from '../../control/client.js';
import { HoldfastError } from '../../errors.js';
import type { LastUpgrade, SupervisorStatus } from '../../protocol.js';
import { type Command, flagText } from '../context.js';
import { type Perform, request } from './request.js';

/** How long the next program may take to answer: it has got up once already, for the dry run. */
const ARRIVAL_MS = 60_000;
const LOOK_MS = 50;
const ANSWER_MS = 5_000;

export const run: Command = (invocation, context) => {
  const node = flagText(invocation, 'node');
  const options = node === undefined ? {} : { node: path.resolve(context.cwd, node) };
  let now: SupervisorStatus | null = null;
  const perform: Perform = async (connection, onProgress, signal) => {
    let id: string | null = null;
    try {
      return await connection.perform(
        { upgrade: options },
        (line) => {
          if (typeof line.fields.upgrade === 'string') id = line.fields.upgrade;
          onProgress(line);
        },
        signal,
      );
    } catch (error) {
      // Its end is that of the program that has answered.
      if (id === null || !(error instanceof HoldfastError) || error.code !== 'CONNECTION_LOST') throw error;
    }
    const arrived = await arrivalOf(connection, id);
    now = arrived.status;
    const { failure } = arrived.last;
    return {
      type: 'result',
      ok: failure === null,
      message: 'upgraded',
      reason: failure === null ? null : again(failure),
    };
  };
  return request(perform, 'upgrade', invocation, context, () => (now === null ? '' : whatRuns(now)));
};

async function arrivalOf(
  connection: Connection,
  id: string,
): Promise<{ readonly status: SupervisorStatus; readonly last: LastUpgrade }> {
  const until = performance.now() + ARRIVAL_MS;
  for (;;) {
    const status = await connection.status(ANSWER_MS).catch(() => null);
    const last = status?.upgrade?.last;
    if (status && last?.id === id && last.done) return { status, last };
    if (performance.now() > until) {
      throw new HoldfastError(
        'CONNECTION_LOST',
        `cannot say whether ${connection.name} was upgraded: it does not answer`,
        {
          hint: `the workers serve on; look at its log, then: holdfast status --name ${connection.name}`,
        },
      );
    }
    await delay(LOOK_MS);
  }
}

function again(failure: string): string {
  return `the new version did not start, and the previous one goes on: ${failure.replace(/^holdfast: /, '')}`;
}

function whatRuns({ version, nodeVersion, pid, workers }: SupervisorStatus): string {
  return `  holdfast ${version} on Node ${nodeVersion.replace(/^v/, '')}, PID ${pid} as before, with the same ${workers.length} worker${workers.length === 1 ? '' : 's'}\n`;
}
