/** holdfast as `npm install` puts it into a project: its own files, and links to what it depends on. */
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { root } from './holdfast.js';

const FILES = [
  'package.json',
  'bin',
  'dist/page',
  'dist/program',
  'dist/worker/preload.js',
  'dist/worker/measure.js',
  'dist/worker/package.json',
];

/** @returns its entry */
export function installInto(project: string): string {
  const modules = path.join(project, 'node_modules');
  const own = path.join(modules, 'holdfast');
  for (const file of FILES) cpSync(path.join(root, file), path.join(own, file), { recursive: true });
  const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as Record<string, object>;
  const names = Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies });
  for (const name of names.filter((name) => readdirSync(path.join(root, 'node_modules')).includes(name))) {
    mkdirSync(modules, { recursive: true });
    symlinkSync(path.join(root, 'node_modules', name), path.join(modules, name));
  }
  return path.join(own, 'bin/holdfast.js');
}
