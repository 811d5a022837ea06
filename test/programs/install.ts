/**
 * Installs a program as its owner would, into a folder of its own that later runs find again. Outside of this repository: what is
 * missing must not be found in the node_modules above.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Test } from 'tap';
import type { Program } from './program.js';

const NPM = 'npm install --no-audit --no-fund --no-package-lock --loglevel=error';
const PNPM = 'npx --yes pnpm@10.34.9 install --no-frozen-lockfile --ignore-scripts --reporter=append-only';

/** What says that a folder is complete, and of what. */
const SEAL = '.installed';
/** What a shell has that did not come from npm, the test runner or holdfast. */
const PLAIN =
  /^(?:PATH|HOME|USER|LANG|TERM|TMPDIR|CI|https?_proxy|no_proxy|SSL_CERT_\w+|NODE_EXTRA_CA_CERTS|npm_config_(?!local_prefix)\w+)$/i;

export const programsDir =
  process.env.HOLDFAST_PROGRAMS_DIR ??
  path.join(process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache'), 'holdfast-programs');

/** Two installations at a time take longer than one after the other. */
let last: Promise<unknown> = Promise.resolve();

/** What npm and pnpm say where the registry cannot be reached. */
const NO_NETWORK = /\b(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT)\b/;

/** What has to be known to install it. */
type Installable = Pick<Program, 'name' | 'packages' | 'files' | 'installer' | 'build'>;

/** @returns its folder; null where it would have to be installed first and there is no network. CI must have one */
export function install(t: Test, program: Installable): Promise<string | null> {
  const installed = last.then(() => installNow(t, program));
  last = installed.catch(() => {});
  return installed;
}

async function installNow(t: Test, program: Installable): Promise<string | null> {
  const { name, packages, files, installer = 'npm', build = [] } = program;
  const folder = path.join(programsDir, folderName(name));
  const commands = [
    installer === 'pnpm' ? `${PNPM} --store-dir ${path.join(programsDir, '.pnpm-store')}` : NPM,
    ...build,
  ];
  const what = [Object.entries(packages).sort(), files, commands];
  const seal = createHash('sha256').update(JSON.stringify(what)).digest('hex');
  if (sealOf(folder) === seal) return folder;
  // Clients of other programs are in this process: they must not wait for a disk.
  await rm(folder, { recursive: true, force: true });
  const manifest = { name: 'app', private: true, ...JSON.parse(files['package.json'] ?? '{}'), dependencies: packages };
  for (const [file, text] of Object.entries({ ...files, 'package.json': JSON.stringify(manifest) })) {
    mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
    writeFileSync(path.join(folder, file), text);
  }
  for (const [step, command] of commands.entries()) {
    const begun = performance.now();
    try {
      await runToEnd(t, command, folder);
    } catch (error) {
      if (step === 0 && !process.env.CI && NO_NETWORK.test(String(error))) return null;
      throw error;
    }
    t.comment(`${command.split(' --')[0]}: ${((performance.now() - begun) / 1000).toFixed(1)} s`);
  }
  writeFileSync(path.join(folder, SEAL), seal);
  return folder;
}

function folderName(name: string): string {
  return name.toLowerCase().replaceAll(/\W+/g, '-').replaceAll(/^-|-$/g, '');
}

function sealOf(folder: string): string | null {
  try {
    return readFileSync(path.join(folder, SEAL), 'utf8');
  } catch {
    return null;
  }
}

async function runToEnd(t: Test, command: string, cwd: string): Promise<void> {
  const child = startCommand(t, command, {
    cwd,
    env: { CI: 'true', NODE_ENV: '', NEXT_TELEMETRY_DISABLED: '1', NUXT_TELEMETRY_DISABLED: '1' },
  });
  const { code, output } = await child.closed;
  if (code !== 0) throw new Error(`"${command}" in ${cwd} ended with ${code}:\n${output().slice(-4000)}`);
}

export interface Command {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly closed: Promise<{ readonly code: number | null; readonly output: () => string }>;
  /** Asks all of its processes to end, and waits. */
  readonly end: () => Promise<void>;
}

export interface CommandOptions {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/** A command as in a terminal of its own: by a shell, with this very Node and the programs of the folder first on the PATH. */
export function startCommand(t: Test, command: string, { cwd, env }: CommandOptions): Command {
  const ofNode = t.testdir({});
  symlinkSync(process.execPath, path.join(ofNode, 'node'));
  const kept = Object.entries(process.env).filter(([name]) => PLAIN.test(name));
  const PATH = [ofNode, path.join(cwd, 'node_modules/.bin'), process.env.PATH].join(path.delimiter);
  const child = spawn('/bin/sh', ['-c', command], {
    cwd,
    env: { ...Object.fromEntries(kept), ...env, PATH },
    stdio: ['ignore', 'pipe', 'pipe'],
    // Its process group: npm and the shell start the program as a child.
    detached: true,
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  }
  const output = () => text;
  const lastResort = () => signalGroup(child, 'SIGKILL');
  process.once('exit', lastResort);
  const closed = new Promise<{ code: number | null; output: () => string }>((resolve) => {
    child.once('close', (code) => {
      process.removeListener('exit', lastResort);
      resolve({ code, output });
    });
  });
  const end = async () => {
    const force = setTimeout(() => signalGroup(child, 'SIGKILL'), 5_000);
    signalGroup(child, 'SIGTERM');
    await closed;
    clearTimeout(force);
  };
  t.teardown(end);
  return { child, output, closed, end };
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    process.kill(-(child.pid ?? 0), signal);
  } catch {
    // All of them have ended.
  }
}
