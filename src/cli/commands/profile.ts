/** `holdfast profile`: a profile of a live worker, in a file that Chrome's tools open. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { parseDuration } from '../../config/schema/duration.js';
import type { Connection, ProgressLine } from '../../control/client/client.js';
import { connectTo } from '../../control/client/find.js';
import { profileInto } from '../../control/client/profile-file.js';
import { isProfileTimeMs, PROFILE_MS } from '../../control/options/profile-options.js';
import { EXIT, HoldfastError } from '../../errors.js';
import type { ProfileKind } from '../../protocol/worker.js';
import { formatBytes, formatTime } from '../output/quantity.js';
import { errorText } from '../output/report-error.js';
import { printable } from '../output/table.js';
import { type Command, flagText, type Invocation } from '../process/context.js';

interface Wanted {
  readonly what: ProfileKind;
  readonly forMs: number;
  readonly ending: string;
}

/** @throws HoldfastError USAGE, NO_SUPERVISOR, PROFILE_UNWRITABLE */
export const run: Command = async (invocation, context) => {
  const { stdout, stderr, runtimeDir, cwd } = context;
  const { what, forMs, ending } = wantedOf(invocation);
  const connection = await connectTo(runtimeDir, flagText(invocation, 'name'));
  const of = invocation.operand === undefined ? 'first' : Number(invocation.operand);
  const file = path.resolve(cwd, flagText(invocation, 'output') ?? defaultName(connection, invocation.operand, ending));
  const interrupted = context.interrupted();
  const time = what === 'heap' ? 'it stands still meanwhile' : `for ${formatTime(forMs)}`;
  let worker: unknown = null;
  const tell = ({ fields }: ProgressLine) => {
    worker = fields.worker;
    stderr.write(`${connection.name}: profiling worker ${printable(String(worker))}, ${time}\n`);
  };
  try {
    const result = await profileInto(connection, { of, what, forMs, file }, tell, interrupted);
    if (!result.ok) {
      const reason = result.reason ?? result.message;
      stderr.write(
        errorText(`cannot profile ${connection.name}: ${reason}`, `its workers: holdfast status ${connection.name}`),
      );
      return EXIT.failed;
    }
    const { size } = await stat(file);
    stdout.write(
      invocation.flags.json
        ? `${JSON.stringify({ file, bytes: size, worker })}\n`
        : `${file}  (${formatBytes(size)})\n`,
    );
    return EXIT.done;
  } catch (error) {
    if (!interrupted.aborted) throw error;
    stderr.write(errorText('cannot go on: interrupted', 'nothing was written'));
    return EXIT.failed;
  }
};

function wantedOf(invocation: Invocation): Wanted {
  const kinds: [flag: string, what: ProfileKind, ending: string][] = [
    ['cpu', 'cpu', 'cpuprofile'],
    ['heap', 'heap', 'heapsnapshot'],
    ['sampling-heap', 'sampling', 'heapprofile'],
  ];
  const given = kinds.filter(([flag]) => invocation.flags[flag] !== undefined);
  const [first, second] = given;
  if (first === undefined || second !== undefined) {
    const what =
      first === undefined ? 'cannot profile: no kind of profile is given' : 'cannot take two profiles at once';
    throw usage(what, 'one of --cpu 10s, --heap, --sampling-heap 30s');
  }
  const [flag, what, ending] = first;
  const text = flagText(invocation, flag);
  if (text === undefined) return { what, forMs: PROFILE_MS.least, ending };
  const forMs = parseDuration(text);
  if (!isProfileTimeMs(forMs)) {
    throw usage(
      `cannot use --${flag} ${JSON.stringify(text)}: it is not a duration from 100ms to 10m`,
      'write 10s or 1m',
    );
  }
  return { what, forMs, ending };
}

/** `shop-3-20261126T140535Z.cpuprofile` */
function defaultName({ name }: Connection, operand: string | undefined, ending: string): string {
  const time = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '');
  return `${[name, ...(operand === undefined ? [] : [operand]), time].join('-')}.${ending}`;
}

function usage(message: string, hint: string): HoldfastError {
  return new HoldfastError('USAGE', message, { hint, exitCode: EXIT.usage });
}
