/** `holdfast profile`: a profile of a live worker, in a file that Chrome's tools open. */
import { copyFile, open, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { parseDuration } from '../../config/duration.js';
import { type Connection, connectTo, type ProgressLine } from '../../control/client.js';
import { isProfileTimeMs, PROFILE_MS } from '../../control/profile-options.js';
import { EXIT, HoldfastError } from '../../errors.js';
import type { ProfileKind } from '../../protocol.js';
import { type Command, flagText, type Invocation } from '../context.js';
import { formatBytes, formatTime } from '../quantity.js';
import { errorText } from '../report-error.js';
import { printable } from '../table.js';

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
  const id = await makeFile(file);
  const interrupted = context.interrupted();
  let written = false;
  try {
    const order = { profile: { of, what, forMs, file, id } } as const;
    const time = what === 'heap' ? 'it stands still meanwhile' : `for ${formatTime(forMs)}`;
    const tell = ({ fields }: ProgressLine) => {
      stderr.write(`${connection.name}: profiling worker ${printable(String(fields.worker))}, ${time}\n`);
    };
    const result = await connection.perform(order, tell, interrupted);
    if (!result.ok) {
      const reason = result.reason ?? result.message;
      stderr.write(
        errorText(`cannot profile ${connection.name}: ${reason}`, `its workers: holdfast status ${connection.name}`),
      );
      return EXIT.failed;
    }
    if (result.file !== undefined) await takeFrom(result.file, file);
    written = true;
    const { size } = await stat(file);
    const line = { file, bytes: size, worker: result.message };
    stdout.write(invocation.flags.json ? `${JSON.stringify(line)}\n` : `${file}  (${formatBytes(size)})\n`);
    return EXIT.done;
  } catch (error) {
    if (!interrupted.aborted) throw error;
    stderr.write(errorText('cannot go on: interrupted', 'nothing was written'));
    return EXIT.failed;
  } finally {
    if (!written) await rm(file, { force: true });
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
    const what = first === undefined ? 'cannot profile: it is not said what' : 'cannot take two profiles at once';
    throw usage(what, 'one of --cpu 10s, --heap, --sampling-heap 30s');
  }
  const [flag, what, ending] = first;
  const text = flagText(invocation, flag);
  if (text === undefined) return { what, forMs: PROFILE_MS.least, ending };
  const forMs = parseDuration(text);
  if (!isProfileTimeMs(forMs)) {
    throw usage(`cannot use --${flag} ${JSON.stringify(text)}: it is no duration from 100ms to 10m`, 'write 10s or 1m');
  }
  return { what, forMs, ending };
}

/** `shop-3-20261126T140535Z.cpuprofile` */
function defaultName({ name }: Connection, operand: string | undefined, ending: string): string {
  const time = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '');
  return `${[name, ...(operand === undefined ? [] : [operand]), time].join('-')}.${ending}`;
}

/** For its owner alone: a snapshot has every secret of the application in it. @returns by what it is known again */
async function makeFile(file: string): Promise<string> {
  try {
    const made = await open(file, 'wx', 0o600);
    const { dev, ino } = await made.stat({ bigint: true });
    await made.close();
    return `${dev} ${ino}`;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new HoldfastError('PROFILE_UNWRITABLE', `cannot write ${file}: ${code}`, {
      hint:
        code === 'EEXIST' ? 'it is there already: give another name with --output' : 'give a place with --output FILE',
      cause,
    });
  }
}

/** The worker may not write to the file, or sees another file system: then it has written to the runtime folder. */
async function takeFrom(spare: string, file: string): Promise<void> {
  await copyFile(spare, file);
  await rm(spare, { force: true });
}

function usage(message: string, hint: string): HoldfastError {
  return new HoldfastError('USAGE', message, { hint, exitCode: EXIT.usage });
}
