/** What reload, restart, scale and stop have in common: ask, show the progress, tell the result. */
import { type Action, connectTo, type ProgressLine, type ResultLine } from '../../control/client.js';
import { EXIT, type ExitCode } from '../../errors.js';
import { type Context, flagText, type Invocation } from '../context.js';
import { errorText } from '../report-error.js';
import { printable } from '../table.js';

/**
 * Progress goes to stderr, the result to stdout.
 *
 * @param verb for the error: "cannot VERB shop: reason"
 * @param describe what there is to show of a good result, for people
 * @returns 1 when the supervisor says that it did not work
 */
export async function request(
  action: Action,
  verb: string,
  invocation: Invocation,
  { stdout, stderr, runtimeDir }: Context,
  describe: (result: ResultLine) => string = () => '',
): Promise<ExitCode> {
  const connection = await connectTo(runtimeDir, flagText(invocation, 'name'));
  const result = await connection.perform(action, (line) => stderr.write(`${progressText(line)}\n`));
  if (invocation.flags.json) stdout.write(`${JSON.stringify(result)}\n`);
  else if (result.ok) stdout.write(`${connection.name}: ${printable(result.message)}\n${describe(result)}`);
  if (result.ok) return EXIT.done;
  const reason = (result.reason ?? result.message).split('\n').map(printable).join('\n');
  // Some reasons are whole errors already.
  const message = reason.startsWith('cannot ') ? reason : `cannot ${verb} ${connection.name}: ${reason}`;
  stderr.write(errorText(message, `how it stands: holdfast status --name ${connection.name}`));
  return EXIT.failed;
}

function progressText({ message, fields }: ProgressLine): string {
  const details = Object.entries(fields).map(([name, value]) => ` ${name}=${fieldText(value)}`);
  return printable(`  ${message}${details.join('')}`);
}

function fieldText(value: unknown): string {
  if (typeof value === 'string') return value;
  return typeof value === 'number' ? String(Math.round(value * 10) / 10) : JSON.stringify(value);
}
