/** From words to an exit code: parses, loads the one command that is meant, and tells errors to the user. */
import { EXIT, type ExitCode } from '../../errors.js';
import { ownPackage } from '../../platform/own-package.js';
import { describeError } from '../output/report-error.js';
import { type Context, columnsOf } from '../process/context.js';
import { parseCommandLine } from './parse.js';

/**
 * Never throws: what goes wrong is on stderr.
 *
 * @param argv the words behind `holdfast`
 */
export async function dispatch(argv: readonly string[], context: Context): Promise<ExitCode> {
  try {
    const parsed = await parseCommandLine(argv);
    switch (parsed.wants) {
      case 'version':
        context.stdout.write(`${ownPackage().version}\n`);
        return EXIT.done;
      case 'help': {
        const { helpFor } = await import('./help.js');
        context.stdout.write(`${await helpFor(parsed.spec, columnsOf(context.stdout), parsed.topic)}\n`);
        return EXIT.done;
      }
      case 'run': {
        const { run } = await parsed.spec.load();
        return await run(parsed.invocation, context);
      }
    }
  } catch (error) {
    const { text, exitCode } = describeError(error);
    context.stderr.write(text);
    return exitCode;
  }
}
