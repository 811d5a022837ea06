/** What reload, restart, scale and stop have in common: ask, show the progress, tell the result. */
import type { Action, Connection, ProgressLine, ResultLine } from '../../control/client/client.js';
import { connectTo, listSupervisors } from '../../control/client/find.js';
import { EXIT, type ExitCode } from '../../errors.js';
import { formatField } from '../output/quantity.js';
import { describeError, errorText } from '../output/report-error.js';
import { printable } from '../output/table.js';
import type { Context, Invocation } from '../process/context.js';

/** What takes its time: drawn on a terminal. */
const DRAWN: ReadonlySet<string> = new Set(['reload', 'restart', 'scale', 'stop']);

/**
 * Progress goes to stderr, the result to stdout. Several supervisors are asked one after the other, each whatever became of the
 * one before it.
 *
 * @param verb for the error: "cannot VERB shop: reason"
 * @param describe what there is to show of a good result, for people
 * @returns 1 when the supervisor says that it did not work
 */
export async function request(
  action: Action | 'follow' | Perform,
  verb: string,
  invocation: Invocation,
  context: Context,
  describe: (result: ResultLine) => string = () => '',
): Promise<ExitCode> {
  const [only, ...others] = await connectToAll(invocation, context);
  const perform: Perform = (connection, ...rest) =>
    typeof action === 'function'
      ? action(connection, ...rest)
      : action === 'follow'
        ? follow(connection, ...rest)
        : connection.perform(action, ...rest);
  const ask = { perform, verb, json: Boolean(invocation.flags.json), describe };
  if (only !== undefined && others.length === 0) return (await requestOf(only, ask, context)) ?? EXIT.failed;
  let worst: ExitCode = EXIT.done;
  const all = only === undefined ? [] : [only, ...others];
  for (const [at, connection] of all.entries()) {
    const code = await requestOf(connection, ask, context).catch((error: unknown) => {
      const { text, exitCode } = describeError(error);
      context.stderr.write(text);
      return exitCode;
    });
    if (code !== EXIT.done) worst = EXIT.failed;
    if (code !== null) continue;
    // Who has left does not ask for more.
    const rest = all.slice(at + 1).map(({ name }) => name);
    if (rest.length > 0) context.stderr.write(`  not asked yet  ${rest.join(', ')}\n`);
    break;
  }
  return worst;
}

/**
 * Those that are meant: by their names, all, or the only one.
 *
 * @throws HoldfastError before anybody is asked for anything
 */
export async function connectToAll({ names, flags }: Invocation, { runtimeDir }: Context): Promise<Connection[]> {
  if (names === undefined)
    return [await connectTo(runtimeDir, typeof flags.name === 'string' ? flags.name : undefined)];
  const meant = names.includes('all') ? (await listSupervisors(runtimeDir)).map(({ name }) => name) : new Set(names);
  const connections: Connection[] = [];
  for (const name of meant) connections.push(await connectTo(runtimeDir, name));
  // None runs: the error of who asks for the only one.
  return connections.length > 0 ? connections : [await connectTo(runtimeDir)];
}

export type Perform = (
  connection: Connection,
  onProgress: (line: ProgressLine) => void,
  signal?: AbortSignal,
) => Promise<ResultLine>;

interface Ask {
  readonly perform: Perform;
  readonly verb: string;
  readonly json: boolean;
  readonly describe: (result: ResultLine) => string;
}

/** @returns null where Ctrl-C has left the view of it */
async function requestOf(connection: Connection, ask: Ask, context: Context): Promise<ExitCode | null> {
  const { perform, verb, json, describe } = ask;
  const { stdout, stderr } = context;
  const isDrawn = !json && DRAWN.has(verb) && stderr.isTTY === true && context.env.TERM !== 'dumb';
  const result = isDrawn
    ? await draw(connection, ask, context)
    : await perform(connection, (line) => stderr.write(`${progressText(line)}\n`));
  if (result === null) {
    stderr.write(whatGoesOn(connection.name, verb));
    return null;
  }
  if (json) stdout.write(`${JSON.stringify(result)}\n`);
  else if (result.ok) stdout.write(`${connection.name}: ${printable(result.message)}\n${describe(result)}`);
  if (result.ok) return EXIT.done;
  const reason = (result.reason ?? result.message).split('\n').map(printable).join('\n');
  // Some reasons are whole errors already.
  const message = reason.startsWith('cannot ') ? reason : `cannot ${verb} ${connection.name}: ${reason}`;
  stderr.write(errorText(message, `how it stands: holdfast status --name ${connection.name}`));
  return EXIT.failed;
}

async function draw(connection: Connection, { perform, verb }: Ask, context: Context): Promise<ResultLine | null> {
  const { drawProgress } = await import('../progress/live-progress.js');
  const request = {
    ...{ connection, verb, note: `Ctrl-C leaves this view; the ${verb} goes on` },
    perform: (onStep: (text: string) => void, signal: AbortSignal) =>
      perform(connection, (line) => onStep(progressText(line).trim()), signal),
  };
  return drawProgress(request, context);
}

/** For who has left the view. Whatever was asked for is under way. */
function whatGoesOn(name: string, verb: string): string {
  const hints =
    verb === 'reload'
      ? [
          `follow it      holdfast reload --follow --name ${name}`,
          `roll it back   holdfast reload --abort --name ${name}`,
        ]
      : [`how it stands  holdfast status --name ${name}`];
  return `holdfast: the ${verb} of ${name} goes on\n${hints.map((hint) => `  ${hint}\n`).join('')}`;
}

async function follow(...args: Parameters<Perform>): Promise<ResultLine> {
  const { followRollout } = await import('../progress/follow.js');
  return followRollout(...args);
}

function progressText({ message, fields }: ProgressLine): string {
  // That there is none of something is of no interest here.
  const known = Object.entries(fields).filter(([, value]) => value !== null);
  return printable(`  ${message}${known.map(([name, value]) => ` ${formatField(name, value)}`).join('')}`);
}
