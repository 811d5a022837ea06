/** The program: gives this process's words to the command line, and its exit code to the shell. */
import { processContext } from './context.js';
import { nameSources } from './stack-traces.js';

nameSources(new URL('.', import.meta.url).href);

const argv = process.argv.slice(2);
const context = processContext();

// Each loads only what it needs: a supervisor stays, every other command is to be quick.
if (argv[0] === 'start') {
  const { start } = await import('./start.js');
  process.exitCode = await start(argv, context);
} else {
  const { dispatch } = await import('./dispatch.js');
  process.exitCode = await dispatch(argv, context);
}
