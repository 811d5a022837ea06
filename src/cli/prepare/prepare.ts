/**
 * The program that reads the configuration for a supervisor; its words are those of the command line. The result goes to
 * file descriptor 3, as one line of JSON.
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { dispatch } from '../command-line/dispatch.js';
import { processContext } from '../process/context.js';
import { leave } from '../process/leave.js';
import { restoreOptions } from '../process/node-options.js';
import { nameSources } from '../process/stack-traces.js';

const RESULT_FD = 3;

nameSources(path.dirname(fileURLToPath(import.meta.url)));
restoreOptions(process.env);
const context = Object.assign(processContext(), { onPrepared: (json: string) => writeFileSync(RESULT_FD, json) });
void dispatch(process.argv.slice(2), context).then(leave);
