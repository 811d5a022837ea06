/** `holdfast completion`: a script for the shell; it asks for the names of running supervisors in the same way. */
import { runningNames } from '../../control/client/find.js';
import { EXIT, HoldfastError } from '../../errors.js';
import { nearest } from '../../nearest.js';
import { COMMANDS, SHELLS } from '../command-line/catalog.js';
import { completionScript } from '../command-line/completion.js';
import { TOPICS } from '../command-line/topics.js';
import type { Command } from '../process/context.js';

/** @throws HoldfastError USAGE for a shell that is not known */
export const run: Command = async ({ operand = '' }, { stdout, runtimeDir }) => {
  if (operand === 'names') {
    // Whatever is wrong there is nothing to complete by, and nobody to tell.
    const names = await runningNames(runtimeDir).catch(() => []);
    stdout.write(names.map((name) => `${name}\n`).join(''));
    return EXIT.done;
  }
  const shell = SHELLS.find((known) => known === operand);
  if (shell === undefined) {
    const meant = nearest(operand, [...SHELLS]);
    throw new HoldfastError('USAGE', `cannot complete for ${JSON.stringify(operand)}: that shell is not supported`, {
      hint: `${meant === undefined ? '' : `did you mean ${meant}? `}one of ${SHELLS.join(', ')}`,
      exitCode: EXIT.usage,
    });
  }
  const commands = await Promise.all(COMMANDS.map(async (spec) => ({ spec, flags: await spec.flags() })));
  stdout.write(completionScript(shell, commands, [...TOPICS.keys()]));
  return EXIT.done;
};
