/**
 * `holdfast logs`: the last log lines of the workers and the supervisor; with `-f` also those that come, until Ctrl-C, whatever
 * becomes of the supervisor.
 */
import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import type { Connection } from '../../control/client/client.js';
import { MOST_LINES } from '../../control/options/log-query.js';
import { EXIT, HoldfastError } from '../../errors.js';
import { lineFilter } from '../../logs/lines/filter.js';
import type { LogHead, LogQuery } from '../../protocol/logs.js';
import { terminalText } from '../../terminal-text.js';
import { comesBack } from '../gone/coming-back.js';
import { grep } from '../logs/grep.js';
import { readLogFlags } from '../logs/log-flags.js';
import { SeenLines } from '../logs/seen-lines.js';
import { describeError } from '../output/report-error.js';
import { type Command, type Context, flagText, type Invocation, wantsColour } from '../process/context.js';
import { connectToAll } from './request.js';

/** Of some lines at once, which are wanted. */
type Matches = (lines: readonly string[]) => readonly boolean[];

const MOST_AT_ONCE = 500;

/**
 * Those of several supervisors in one stream: the last lines of one after the other, then what comes, as it comes.
 *
 * @returns 1 where one of several could not be asked to its end
 * @throws HoldfastError CONNECTION_LOST when the supervisor is killed meanwhile and nothing is followed; USAGE for flags that make no sense
 */
export const run: Command = async (invocation, context) => {
  const { stdout, stderr } = context;
  const query = readLogFlags(invocation, Date.now());
  const expression = flagText(invocation, 'grep');
  const matches: Matches = expression === undefined ? (lines) => lines.map(() => true) : grep(expression);
  const connections = await connectToAll(invocation, context);
  const interrupted = context.interrupted();
  const render = await renderer(invocation, context);
  // Which lines are the last ones that match is only known here.
  const asked = expression === undefined || query.lines === 0 ? query : { ...query, lines: MOST_LINES };
  const width = connections.length === 1 ? 0 : Math.max(...connections.map(({ name }) => name.length));
  let shownBefore: Promise<unknown> = Promise.resolve();
  const shown = connections.map((connection) => {
    const label = width > 0 && render.forPeople ? `${connection.name.padEnd(width)} | ` : '';
    const show = async (lines: readonly string[]) => {
      for (const line of lines) {
        if (interrupted.aborted) return;
        // Waits: the supervisor counts what is lost meanwhile, and nothing piles up here.
        if (!stdout.write(label + render.line(line)))
          await once(stdout, 'drain', { signal: interrupted }).catch(() => {});
      }
    };
    const after = shownBefore;
    let told = () => {};
    shownBefore = new Promise<void>((resolve) => {
      told = resolve;
    });
    const wanted = { query, asked, matches, interrupted, stderr, show, told, isWaiting: false, beganAt: null };
    return after.then(() => showLogs(connection, wanted)).finally(told);
  });
  const [only] = shown;
  if (only !== undefined && shown.length === 1) await only;
  const failures = (await Promise.allSettled(shown)).filter((one) => one.status === 'rejected');
  for (const { reason } of failures) stderr.write(describeError(reason).text);
  return failures.length > 0 ? EXIT.failed : EXIT.done;
};

interface Wanted {
  readonly query: LogQuery;
  /** As the supervisor is asked. */
  readonly asked: LogQuery;
  readonly matches: Matches;
  readonly interrupted: AbortSignal;
  readonly stderr: Context['stderr'];
  readonly show: (lines: readonly string[]) => Promise<void>;
  /** Called when those that have come already are shown. */
  readonly told: () => void;
  /** The supervisor is gone, and that has been told. */
  isWaiting: boolean;
  /** When it was first asked. */
  beganAt: number | null;
}

/** With `-f` also those of the next supervisor of that name, where this one goes without a good-bye. */
async function showLogs(connection: Connection, wanted: Wanted): Promise<void> {
  const { query, interrupted, stderr, told } = wanted;
  const seen = new SeenLines();
  for (let isFirst = true; ; isFirst = false) {
    try {
      await showFrom(connection, wanted, seen, isFirst);
      break;
    } catch (error) {
      const isLost = error instanceof HoldfastError && error.code === 'CONNECTION_LOST';
      if (!query.follow || !isLost) throw error;
    }
    told();
    if (!wanted.isWaiting) stderr.write(`${connection.name}: the supervisor is gone; waiting for it\n`);
    wanted.isWaiting = true;
    if (!(await comesBack(connection.socketPath, interrupted))) return;
  }
  if (query.follow && !interrupted.aborted) stderr.write(`${connection.name}: the supervisor has ended\n`);
}

/** @throws HoldfastError CONNECTION_LOST, when what has come is shown */
async function showFrom(connection: Connection, wanted: Wanted, seen: SeenLines, isFirst: boolean): Promise<void> {
  const { query, asked, matches, interrupted, stderr, show, told } = wanted;
  const askedAt = Date.now();
  wanted.beganAt ??= askedAt;
  // What came before is not what was asked for; where something has been seen, that tells where to go on.
  const since = seen.isEmpty ? { sinceMs: Math.max(wanted.beganAt, query.sinceMs ?? 0) } : {};
  const request = isFirst ? asked : { ...asked, lines: MOST_LINES, ...since };
  let recent: string[] | null = null;
  let head: LogHead | null = null;
  const showRecent = async () => {
    const lines = recent ?? [];
    recent = null;
    if (!isFirst) {
      const missed = seen.newIn(lines);
      seen.add(missed);
      await show(picked(missed, matches));
      return;
    }
    seen.add(lines);
    const found = picked(lines, matches);
    const file = found.length < query.lines ? (head?.logFile ?? null) : null;
    const older =
      file === null ? [] : await olderLines(file, { name: connection.name, query, matches, found, askedAt }, stderr);
    await show(query.lines === 0 ? [] : [...older, ...found].slice(-query.lines));
    told();
  };
  try {
    for await (const lines of inBatches(connection.logs(interrupted, request))) {
      let rest: readonly string[] = lines;
      if (head === null) {
        head = headOf(connection.name, rest[0]);
        if (wanted.isWaiting) stderr.write(`${connection.name}: the supervisor is back\n`);
        wanted.isWaiting = false;
        recent = [];
        rest = rest.slice(1);
      }
      if (recent !== null) {
        const missing = head.recent - recent.length;
        recent.push(...rest.slice(0, missing));
        rest = rest.slice(missing);
        if (recent.length === head.recent) await showRecent();
      }
      seen.add(rest);
      await show(picked(rest, matches));
    }
  } finally {
    // The rest of them was lost on the way.
    if (recent !== null) await showRecent();
  }
}

/** @throws HoldfastError REFUSED where it is none: a supervisor that knows nothing of lines that have come already */
function headOf(name: string, line = ''): LogHead {
  const head = JSON.parse(line) as Partial<LogHead>;
  if (head.type === 'logs' && typeof head.recent === 'number') return head as LogHead;
  throw new HoldfastError('REFUSED', `cannot read the logs of ${name}: the supervisor is of another version`, {
    hint: 'compare with holdfast status --json',
  });
}

interface Rendering {
  readonly line: (line: string) => string;
  readonly forPeople: boolean;
}

async function renderer(invocation: Invocation, { stdout, env }: Context): Promise<Rendering> {
  if (stdout.isTTY !== true) return { line: (line) => `${line}\n`, forPeople: false };
  if (invocation.flags.json === true) return { line: (line) => terminalText(`${line}\n`), forPeople: false };
  const line = (await import('../../logs/lines/pretty.js')).prettifier(wantsColour(stdout, env));
  return { line, forPeople: true };
}

function picked(lines: readonly string[], matches: Matches): string[] {
  if (lines.length === 0) return [];
  const wanted = matches(lines);
  return lines.filter((_line, index) => wanted[index]);
}

interface Older {
  readonly name: string;
  readonly query: LogQuery;
  readonly matches: Matches;
  /** What the supervisor remembers of what is asked for. */
  readonly found: readonly string[];
  readonly askedAt: number;
}

/** Those that the supervisor no longer remembers, out of its log file. */
async function olderLines(
  file: string,
  { name, query, matches, found, askedAt }: Older,
  stderr: Context['stderr'],
): Promise<readonly string[]> {
  const { linesFromFiles, linesBefore } = await import('../../logs/file-history.js');
  const isWanted = lineFilter(query) ?? (() => true);
  // Where none is remembered, nothing tells what is in the file from what comes by itself but the time.
  const isNew = found.length > 0 ? null : lineFilter({ sinceMs: askedAt });
  const fits = (lines: readonly string[]) => {
    const matching = matches(lines);
    return lines.map(
      (line, index) => matching[index] === true && isWanted(line) && !isNew?.(line) && !isOthers(line, name),
    );
  };
  try {
    const count = query.lines + found.length;
    return linesBefore(await linesFromFiles(file, { count, fits, sinceMs: query.sinceMs ?? null }), found);
  } catch (error) {
    stderr.write(`holdfast: cannot read older lines: ${(error as Error).message}\n`);
    return [];
  }
}

/** Several applications may have one log file. */
function isOthers(line: string, name: string): boolean {
  try {
    const { name: whose } = JSON.parse(line) as { readonly name?: unknown };
    return typeof whose === 'string' && whose !== name;
  } catch {
    return false;
  }
}

/** What has come at once, together. */
async function* inBatches(lines: AsyncGenerator<string, void, void>): AsyncGenerator<string[], void, void> {
  let next = lines.next();
  for (;;) {
    const batch: string[] = [];
    let first: IteratorResult<string, void> | undefined = await next;
    while (first !== undefined && !first.done) {
      batch.push(first.value);
      next = lines.next();
      first = batch.length < MOST_AT_ONCE ? await Promise.race([next, turn(undefined)]) : undefined;
    }
    if (batch.length > 0) yield batch;
    if (first?.done) return;
  }
}
