// Prepares examples/container for `docker build`: packs holdfast as npm would publish it, and brings the lock file up to date.
import { spawnSync } from 'node:child_process';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const example = process.argv[2] ?? `${root}examples/container`;

function npm(cwd, ...words) {
  const { status, stdout } = spawnSync('npm', words, { cwd, stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' });
  if (status !== 0) process.exit(status ?? 1);
  return stdout;
}

const [{ filename }] = JSON.parse(npm(root, 'pack', '--ignore-scripts', '--json', '--pack-destination', example));
renameSync(`${example}/${filename}`, `${example}/holdfast.tgz`);

const file = `${example}/package-lock.json`;
/** The tarball is another one each time that it is packed, and npm would not look into it again under its old name. */
function forget(change) {
  const lock = JSON.parse(readFileSync(file, 'utf8'));
  change(lock.packages);
  writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
}

forget((packages) => delete packages['node_modules/holdfast']);
npm(example, 'install', '--package-lock-only', '--prefer-offline');
forget((packages) => delete packages['node_modules/holdfast'].integrity);
