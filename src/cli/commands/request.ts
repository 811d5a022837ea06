/** What reload, restart, scale and stop have in common: ask, show the progress, tell the result. */
import {
  type Action,
  type Connection,
  connectTo,
  listSupervisors,
  type ProgressLine,
  type ResultLine,
} from '../../control/client.js';
import { EXIT, type ExitCode } from '../../errors.js';
import type { Context, Invocation } from '../context.js';
import { formatField } from '../quantity.js';
import { describeError, errorText } from '../report-error.js';
import { printable } from '../table.js';

/**
 * Progress goes to stderr, the result to stdout. Several supervisors are asked one after the other, each whatever became of the
 * one before it.
 *
 * @param verb for the error: "cannot VERB shop: reason"
 * @param describe what there is to show of a good result, for people
 * @returns 1 when the supervisor says that it did not work
 */
export async function request(
  action: Action,
  verb: string,
  invocation: Invocation,
  context: Context,
  describe: (result: ResultLine) => string = () => '',
): Promise<ExitCode> {
  const [only, ...others] = await connectToAll(invocation, context);
  const ask = { action, verb, json: Boolean(invocation.flags.json), describe };
  if (only !== undefined && others.length === 0) return requestOf(only, ask, context);
  let worst: ExitCode = EXIT.done;
  for (const connection of only === undefined ? [] : [only, ...others]) {
    const code = await requestOf(connection, ask, context).catch((error: unknown) => {
      const { text, exitCode } = describeError(error);
      context.stderr.write(text);
      return exitCode;
    });
    if (code !== EXIT.done) worst = EXIT.failed;
  }
  return worst;
}

/** @throws HoldfastError before anybody is asked for anything */
async function connectToAll({ names, flags }: Invocation, { runtimeDir }: Context): Promise<Connection[]> {
  if (names === undefined)
    return [await connectTo(runtimeDir, typeof flags.name === 'string' ? flags.name : undefined)];
  const meant = names.includes('all') ? (await listSupervisors(runtimeDir)).map(({ name }) => name) : new Set(names);
  const connections: Connection[] = [];
  for (const name of meant) connections.push(await connectTo(runtimeDir, name));
  // None runs: the error of who asks for the only one.
  return connections.length > 0 ? connections : [await connectTo(runtimeDir)];
}

interface Ask {
  readonly action: Action;
  readonly verb: string;
  readonly json: boolean;
  readonly describe: (result: ResultLine) => string;
}

async function requestOf(
  connection: Connection,
  { action, verb, json, describe }: Ask,
  { stdout, stderr }: Context,
): Promise<ExitCode> {
  const result = await connection.perform(action, (line) => stderr.write(`${progressText(line)}\n`));
  if (json) stdout.write(`${JSON.stringify(result)}\n`);
  else if (result.ok) stdout.write(`${connection.name}: ${printable(result.message)}\n${describe(result)}`);
  if (result.ok) return EXIT.done;
  const reason = (result.reason ?? result.message).split('\n').map(printable).join('\n');
  // Some reasons are whole errors already.
  const message = reason.startsWith('cannot ') ? reason : `cannot ${verb} ${connection.name}: ${reason}`;
  stderr.write(errorText(message, `how it stands: holdfast status --name ${connection.name}`));
  return EXIT.failed;
}

function progressText({ message, fields }: ProgressLine): string {
  const details = Object.entries(fields).map(([name, value]) => ` ${formatField(name, value)}`);
  return printable(`  ${message}${details.join('')}`);
}
