/** The program that reads the configuration for `holdfast start`; its words are those of the command line. */
import { processContext } from './context.js';
import { dispatch } from './dispatch.js';
import { leave } from './leave.js';

await leave(await dispatch(process.argv.slice(2), processContext()));
