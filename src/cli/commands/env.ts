/** `holdfast env`: the environment that a worker was started with. */
import { connectTo } from '../../control/client/find.js';
import { EXIT } from '../../errors.js';
import { variableTable } from '../output/describe-view.js';
import { type Command, columnsOf, flagText } from '../process/context.js';

/** @throws HoldfastError NO_SUPERVISOR (exit code 3), REFUSED where there is no such worker */
export const run: Command = async (invocation, { stdout, stderr, runtimeDir }) => {
  const connection = await connectTo(runtimeDir, flagText(invocation, 'name'));
  const { operand, flags } = invocation;
  const secrets = flags['show-secrets'] === true;
  const of = operand === undefined ? 'first' : Number(operand);
  const { environment, worker, status } = await connection.describe({ of, secrets });
  if (flags.json) {
    stdout.write(
      `${JSON.stringify(Object.fromEntries(environment.map(({ name, value }) => [name, value])), null, 2)}\n`,
    );
    return EXIT.done;
  }
  const slot = status.workers.find(({ id }) => id === worker)?.slot;
  stderr.write(
    `${connection.name}: worker ${worker}${slot === undefined ? '' : ` in slot ${slot}`}, as it was started\n`,
  );
  // Whole where it is read by a program.
  stdout.write(variableTable(environment, columnsOf(stdout)));
  return EXIT.done;
};
