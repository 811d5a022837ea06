/** An upgrade, waited for to its end: the program that was asked has no answer where all goes well, its successor tells. */
import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError } from '../../errors.js';
import type { UpgradeOptions } from '../../protocol/control.js';
import type { LastUpgrade, SupervisorStatus } from '../../protocol/status.js';
import { absence } from '../socket-path.js';
import type { Connection, ProgressLine, ResultLine } from './client.js';

/** How long the next program may take to answer: it has got up once already, for the dry run. */
const ARRIVAL_MS = 60_000;
const LOOK_MS = 50;
const ANSWER_MS = 5_000;
/**
 * Where nobody listens on the control socket for so long, and no process of that PID is to be seen, it has ended. One that goes back
 * to the program before has no socket until that has booted, which takes as long as the machine is busy.
 */
const GONE_MS = 3_000;

/**
 * @param onArrived told what runs afterwards, also where that is the program that was there before
 * @throws HoldfastError CONNECTION_LOST where nobody answers any more; as `Connection.perform`
 */
export async function upgradeOver(
  connection: Connection,
  options: UpgradeOptions,
  onProgress: (line: ProgressLine) => void,
  { signal, onArrived }: { readonly signal?: AbortSignal; readonly onArrived?: (now: SupervisorStatus) => void } = {},
): Promise<ResultLine> {
  let id: string | null = null;
  let pid: number | null = null;
  const note = (line: ProgressLine) => {
    if (typeof line.fields.upgrade === 'string') id = line.fields.upgrade;
    if (typeof line.fields.pid === 'number') pid = line.fields.pid;
    onProgress(line);
  };
  try {
    return await connection.perform({ upgrade: options }, note, signal);
  } catch (error) {
    // Its end is that of the program that has answered.
    if (id === null || !(error instanceof HoldfastError) || error.code !== 'CONNECTION_LOST') throw error;
  }
  const { status, last } = await arrivalOf(connection, id, pid);
  onArrived?.(status);
  const { failure } = last;
  const reason = failure === null ? null : again(failure);
  return { type: 'result', ok: failure === null, message: 'upgraded', reason };
}

async function arrivalOf(
  connection: Connection,
  id: string,
  pid: number | null,
): Promise<{ readonly status: SupervisorStatus; readonly last: LastUpgrade }> {
  const { name } = connection;
  const until = performance.now() + ARRIVAL_MS;
  /** When it was last to be hoped for. */
  let hopeAt = performance.now();
  for (;;) {
    let isGone = false;
    const status = await connection.status(ANSWER_MS).catch((error: HoldfastError) => {
      isGone = absence(error.cause) !== null;
      return null;
    });
    const last = status?.upgrade?.last ?? null;
    if (status !== null && last?.id === id && last.done) return { status, last };
    const now = performance.now();
    const isOther = status !== null && last?.id !== id;
    if (!isOther && (!isGone || lives(pid))) hopeAt = now;
    if (now - hopeAt > GONE_MS) {
      throw lost(
        isOther
          ? `cannot say whether ${name} was upgraded: another program answers in its place`
          : `cannot upgrade ${name}: it has ended in the middle of it`,
      );
    }
    if (now > until) throw lost(`cannot say whether ${name} was upgraded: it does not answer`);
    await delay(LOOK_MS);
  }

  function lost(message: string): HoldfastError {
    const hint = `the workers serve on; look at its log, then: holdfast status --name ${name}`;
    return new HoldfastError('CONNECTION_LOST', message, { hint });
  }
}

/** As far as can be seen from here; an older supervisor does not tell its PID. */
function lives(pid: number | null): boolean {
  if (pid === null || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function again(failure: string): string {
  return `the new version did not start, and the previous one goes on: ${failure.replace(/^holdfast: /, '')}`;
}
