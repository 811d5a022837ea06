/** The program that reads the configuration for `holdfast start`; its words are those of the command line. */
import { processContext } from './context.js';
import { dispatch } from './dispatch.js';
import { nameSources } from './stack-traces.js';

nameSources(new URL('.', import.meta.url).href);
process.exitCode = await dispatch(process.argv.slice(2), processContext());
