/** Where the program begins: signals first, then everything else, and a plain word where that cannot even be loaded. */
import './early-signals.js';

import('./main.js').catch((error: NodeJS.ErrnoException) => {
  // Nothing more is loaded for this: what is missing is most likely what would be needed for it.
  const { code, path, message } = error;
  const isSystems = code !== undefined && path !== undefined;
  const what = isSystems ? `cannot read ${path}: ${code}` : `cannot load its own modules: ${message}`;
  const limit = 'raise the limit of open files (ulimit -n, LimitNOFILE= of a unit)';
  const hint = code === 'EMFILE' || code === 'ENFILE' ? limit : 'the installation may be broken: install holdfast anew';
  process.stderr.write(`holdfast: ${what}\n  ${hint}\n`);
  process.exit(1);
});
