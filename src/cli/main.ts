/** The program: gives this process's words to the command line, and its exit code to the shell. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { processContext } from './process/context.js';
import { leave } from './process/leave.js';
import { nameSources } from './process/stack-traces.js';

nameSources(path.dirname(fileURLToPath(import.meta.url)));
void run(process.argv.slice(2));

/** Each command loads only what it needs: a supervisor stays, every other one is to be quick. */
async function run(argv: readonly string[]): Promise<void> {
  const context = processContext();
  if (argv[0] === 'start') {
    const { start } = await import('./start/start.js');
    await leave(await start(argv, context));
  } else {
    const { dispatch } = await import('./command-line/dispatch.js');
    await leave(await dispatch(argv, context));
  }
}
