/** Sets units up in systemd, and takes them out again: the files, and what systemctl is to be told. */
import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { EXIT, HoldfastError } from '../../errors.js';
import { spawning } from '../../spawn.js';
import { printable } from '../output/table.js';
import type { Context } from '../process/context.js';

export interface UnitFile {
  readonly name: string;
  readonly text: string;
}

export interface Installing {
  /** Folder of the unit files. */
  readonly folder: string;
  /** Nobody is asked. */
  readonly yes: boolean;
}

/** In the second line of every unit that holdfast has made. */
const MADE_BY = 'Made by holdfast unit';
const OUTPUT_LIMIT = 8 * 1024;

/**
 * Writes the units, and has systemd load, enable and start them; a template is only loaded.
 *
 * @param write writes the files, and throws where one is there already
 * @throws HoldfastError
 */
export async function installUnits(
  units: readonly UnitFile[],
  { folder, yes }: Installing,
  context: Context,
  write: () => Promise<unknown>,
): Promise<void> {
  const names = units.map(({ name }) => name);
  await checkWritable(folder, 'install', names);
  const isTemplate = names.some((name) => name.includes('@'));
  const what = isTemplate
    ? `Write ${names[0]} to ${folder}`
    : `Write ${names.join(' and ')} to ${folder}, start now and at boot`;
  await agree(`${what}?`, { yes }, context);
  await write();
  const services = servicesOf(names);
  const back = services.map((service) => `holdfast unit --name ${service} --uninstall`).join('; ');
  const take = `the files are there; to take them back: ${back}`;
  await systemctl(['daemon-reload'], context, take);
  if (isTemplate) {
    context.stdout.write(`${names[0]}: loaded; start one with systemctl enable --now holdfast@NAME\n`);
    return;
  }
  const hint = `its last words: journalctl -u ${services.join(' -u ')} -n 30 --no-pager\n${take}`;
  await systemctl(['enable', ...names], context, hint);
  // Not by `enable --now`: that of systemd 254 ends with 0 where the start fails.
  await systemctl(['start', ...names], context, hint);
  for (const service of services) {
    context.stdout.write(
      `${service}: installed, enabled and started\n  look      systemctl status ${service}\n  logs      journalctl -u ${service} -f\n  reload    systemctl reload ${service}\n`,
    );
  }
}

/**
 * Stops and disables the units of that name, and removes their files.
 *
 * @throws HoldfastError UNIT_MISSING; UNIT_FOREIGN for one that holdfast has not made
 */
export async function uninstallUnits(name: string, { folder, yes }: Installing, context: Context): Promise<void> {
  const candidates = [`${name}.socket`, `${name}.service`].map((file) => path.join(folder, file));
  const found: string[] = [];
  for (const file of candidates) {
    const text = await readFile(file, 'utf8').catch(() => null);
    if (text === null) continue;
    if (!text.slice(0, 1024).includes(MADE_BY)) {
      throw new HoldfastError('UNIT_FOREIGN', `cannot remove ${file}: holdfast unit did not write it`, {
        hint: `look at it, and remove it yourself: systemctl disable --now ${path.basename(file)}`,
      });
    }
    found.push(file);
  }
  if (found.length === 0) {
    throw new HoldfastError('UNIT_MISSING', `cannot uninstall ${name}: there is no ${name}.service in ${folder}`, {
      hint: 'the units that there are: systemctl list-unit-files; one in another folder: --output DIR',
    });
  }
  const names = found.map((file) => path.basename(file));
  await checkWritable(folder, 'uninstall', names);
  await agree(`Stop ${names.join(' and ')} and remove ${found.join(', ')}?`, { yes }, context);
  for (const verb of ['stop', 'disable']) await systemctl([verb, ...names], context, `see systemctl status ${name}`);
  for (const file of found) await rm(file, { force: true });
  await systemctl(['daemon-reload'], context, 'the files are removed; systemd goes by what it has loaded');
  context.stdout.write(`${name}: stopped and removed\n`);
}

function servicesOf(names: readonly string[]): string[] {
  return names.filter((name) => name.endsWith('.service')).map((name) => name.replace(/\.service$/, ''));
}

/** Before anybody is asked. */
async function checkWritable(folder: string, verb: string, names: readonly string[]): Promise<void> {
  await access(folder, constants.W_OK).catch((cause: NodeJS.ErrnoException) => {
    throw new HoldfastError('UNIT_UNWRITABLE', `cannot ${verb} ${names.join(', ')}: ${folder}: ${cause.code}`, {
      hint:
        cause.code === 'ENOENT'
          ? 'the folder does not exist: is systemd installed? --output DIR names another folder'
          : `only root may change units: sudo holdfast unit ... --${verb}`,
      cause,
    });
  });
}

/** @throws HoldfastError NOT_AGREED */
async function agree(question: string, { yes }: { readonly yes: boolean }, { confirm }: Context): Promise<void> {
  if (yes) return;
  if (!confirm) {
    throw new HoldfastError('NOT_AGREED', 'cannot ask whether to go on: there is no terminal', {
      hint: `${question} Say so with --yes`,
      exitCode: EXIT.usage,
    });
  }
  if (await confirm(question)) return;
  throw new HoldfastError('NOT_AGREED', 'cannot go on: the answer was no', { hint: 'nothing has been changed' });
}

/** @throws HoldfastError SYSTEMCTL with what it says */
async function systemctl(words: readonly string[], { env }: Context, hint: string): Promise<void> {
  const { code, said } = await run('systemctl', words, env);
  if (code === 0) return;
  const reason = said.trim() === '' ? `it ended with ${code}` : printable(said.trim().split('\n').join('; '));
  throw new HoldfastError('SYSTEMCTL', `cannot run systemctl ${words.join(' ')}: ${reason}`, { hint });
}

function run(program: string, words: readonly string[], env: NodeJS.ProcessEnv) {
  return new Promise<{ readonly code: number | null; readonly said: string }>((resolve) => {
    const child = spawning(() => spawn(program, words, { env, stdio: ['ignore', 'ignore', 'pipe'] }));
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      if (said.length < OUTPUT_LIMIT) said += text;
    });
    child.once('error', ({ message }) => resolve({ code: null, said: message }));
    child.once('close', (code) => resolve({ code, said }));
  });
}
