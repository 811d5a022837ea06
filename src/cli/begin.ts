/** Where the program begins: signals first, then everything else, and a plain word where that cannot even be loaded. */
import { isNextImage } from './process/early-signals.js';

/** What a program is to have loaded before its own first line: an APM, a loader. */
const PRELOADS = /(?:^|\s)(?:-r|--require|--import|--(?:experimental-)?loader)(?=[\s=])/;

/** NODE_OPTIONS are meant for the applications. */
async function begin(): Promise<void> {
  const { NODE_OPTIONS = '', HOLDFAST_NODE_OPTIONS } = process.env;
  if (HOLDFAST_NODE_OPTIONS !== undefined) (await import('./process/node-options.js')).restoreOptions(process.env);
  else if (PRELOADS.test(NODE_OPTIONS)) (await import('./process/plain-node.js')).becomePlain();
  // The next image of a supervisor: from here on its end is not that of the workers.
  if (isNextImage) (await import('../supervisor/upgrade/arrival.js')).arrive(process.env);
  await import('./main.js');
}

begin().catch((error: NodeJS.ErrnoException) => {
  // Nothing more is loaded for this: what is missing is most likely what would be needed for it.
  const { code, path, message } = error;
  const isSystems = code !== undefined && path !== undefined;
  const what = isSystems ? `cannot read ${path}: ${code}` : `cannot load its own modules: ${message}`;
  const limit = 'raise the limit of open files (ulimit -n, LimitNOFILE= of a unit)';
  const hint = code === 'EMFILE' || code === 'ENFILE' ? limit : 'the installation may be broken: install holdfast anew';
  process.stderr.write(`holdfast: ${what}\n  ${hint}\n`);
  process.exit(1);
});
