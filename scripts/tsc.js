// TypeScript's native compiler, which takes a fifth of the time. Version 6 stays beside it for tap, which calls it from JavaScript:
// both bring a command `tsc` along, so it is called by its path.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const tsc = path.join(root, 'node_modules/typescript-native/bin/tsc');

/** Ends this process where a project has a fault, which the compiler has printed. */
export function compile(project, ...flags) {
  const { status } = spawnSync(process.execPath, [tsc, '-p', project, ...flags], { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
