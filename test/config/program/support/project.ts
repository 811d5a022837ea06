/** A project in a folder of its own, and what its words come to. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Test } from 'tap';
import { resolveProgram } from '../../../../src/config/program/resolve.js';
import { Unreadable } from '../../../../src/config/text/text-file.js';

/** A project with a program of a package, installed as each package manager does it. */
export function project(t: Test, manifest: object, files: Readonly<Record<string, string>> = {}): string {
  const cwd = t.testdir({
    shop: {
      'package.json': JSON.stringify({ name: 'shop', version: '1.2.3', ...manifest }),
      'server.js': '',
      dist: { 'server.js': '' },
      src: { 'app.ts': '' },
      node_modules: {
        '.bin': {},
        next: { 'package.json': '{"name": "next", "bin": {"next": "dist/bin/next"}}' },
        tsx: { 'package.json': '{"name": "tsx"}' },
        'ts-node': { 'package.json': '{"name": "ts-node"}' },
      },
    },
  });
  const folder = path.join(cwd, 'shop');
  write(folder, { 'node_modules/next/dist/bin/next': '#!/usr/bin/env node\n', ...files });
  symlinkSync('../next/dist/bin/next', path.join(folder, 'node_modules/.bin/next'));
  return folder;
}

export function write(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), text);
  }
}

interface Given {
  readonly args?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

/** What it comes to, without the variables that every script of package.json gets. */
export async function resolve(cwd: string, target: string | readonly string[], { args = [], env = {} }: Given = {}) {
  const program = await resolveProgram(target, { cwd, env, args });
  const own = Object.entries(program.env).filter(([name]) => !/^(?:npm_|PATH$)/.test(name));
  return { ...program, env: Object.fromEntries(own) };
}

export async function refusal(cwd: string, target: string | readonly string[], given: Given = {}): Promise<string> {
  try {
    return `it was taken: ${(await resolve(cwd, target, given)).said}`;
  } catch (error) {
    if (error instanceof Unreadable) return error.message;
    throw error;
  }
}
