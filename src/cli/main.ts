/** The program: gives this process's words to the command line, and its exit code to the shell. */
import { processContext } from './context.js';
import { leave } from './leave.js';

const argv = process.argv.slice(2);
const context = processContext();

// Each loads only what it needs: a supervisor stays, every other command is to be quick.
if (argv[0] === 'start') {
  const { start } = await import('./start.js');
  await leave(await start(argv, context));
} else {
  const { dispatch } = await import('./dispatch.js');
  await leave(await dispatch(argv, context));
}
