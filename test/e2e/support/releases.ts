/** Versions of holdfast beside each other, and a link to the one that is installed. */
import { copyFileSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Test } from 'tap';
import { makeRuntimeDir } from './holdfast.js';
import { installInto } from './install.js';

const MANIFEST = 'node_modules/holdfast/package.json';

/** A folder with versions of holdfast, and a link that leads to the one that is installed. */
export class Releases {
  readonly folder: string;

  constructor(t: Test) {
    this.folder = makeRuntimeDir(t);
    this.add('1', '1.0.1');
    this.use('1');
  }

  get bin(): string {
    return path.join(this.folder, 'current/node_modules/holdfast/bin/holdfast.js');
  }

  add(name: string, version: string): void {
    const folder = path.join(this.folder, name);
    mkdirSync(folder);
    installInto(folder);
    const manifest = path.join(folder, MANIFEST);
    writeFileSync(manifest, JSON.stringify({ ...JSON.parse(readFileSync(manifest, 'utf8')), version }));
  }

  /** Code that runs before that of one of its files. */
  spoil(name: string, file: string, code: string): void {
    const whole = path.join(this.folder, name, 'node_modules/holdfast/dist/program', file);
    copyFileSync(whole, `${whole}.good`);
    // On its line: a trace goes by the lines.
    writeFileSync(whole, `${code}${readFileSync(whole, 'utf8')}`);
  }

  mend(name: string, file: string): void {
    const whole = path.join(this.folder, name, 'node_modules/holdfast/dist/program', file);
    renameSync(`${whole}.good`, whole);
  }

  use(name: string): void {
    symlinkSync(name, path.join(this.folder, 'next'));
    renameSync(path.join(this.folder, 'next'), path.join(this.folder, 'current'));
  }
}
