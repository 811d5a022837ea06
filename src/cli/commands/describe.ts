/** `holdfast describe`: everything of one application, or of one of its workers. */
import { connectTo } from '../../control/client/find.js';
import { EXIT } from '../../errors.js';
import { describeApplication } from '../output/describe-view.js';
import { type Command, flagText, looksOf } from '../process/context.js';

/** @throws HoldfastError NO_SUPERVISOR (exit code 3), REFUSED where there is no such worker */
export const run: Command = async (invocation, { stdout, env, runtimeDir }) => {
  const connection = await connectTo(runtimeDir, flagText(invocation, 'name'));
  const { operand, flags } = invocation;
  const secrets = flags['show-secrets'] === true;
  const description = await connection.describe({ secrets, ...(operand !== undefined && { of: Number(operand) }) });
  if (flags.json) stdout.write(`${JSON.stringify(description, null, 2)}\n`);
  else stdout.write(describeApplication(description, looksOf(stdout, env)));
  return EXIT.done;
};
