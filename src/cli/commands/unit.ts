/** `holdfast unit`: the systemd units under which an application runs on this machine. */
import { access, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { EXIT, HoldfastError } from '../../errors.js';
import { findInstallation } from '../../platform/installation.js';
import { serviceUnit, socketUnit } from '../../systemd/unit.js';
import { templateUnit } from '../../systemd/unit-template.js';
import { type Command, type Context, flagText, type Invocation } from '../process/context.js';
import { gatherFacts, type UnitFacts } from '../unit/unit-facts.js';
import { readUnitFlags, type UnitFlags } from '../unit/unit-flags.js';
import { installUnits, type UnitFile, uninstallUnits } from '../unit/unit-install.js';

const FOLDER = '/etc/systemd/system';

/** @throws HoldfastError; ConfigError, exit code 2 */
export const run: Command = async (invocation, context) => {
  const flags = readUnitFlags(invocation, context.cwd);
  const { install, uninstall, yes } = invocation.flags;
  const how = { folder: flags.output ?? FOLDER, yes: yes === true };
  if (install && uninstall) {
    throw wrongUse('cannot install and uninstall at once', 'give one of --install and --uninstall');
  }
  if (uninstall) {
    for (const name of await namesOf(invocation, flags, context)) await uninstallUnits(name, how, context);
    return EXIT.done;
  }
  if (yes && !install) throw wrongUse('cannot use --yes: nothing is asked', 'it is for --install and --uninstall');
  const units = await makeUnits(invocation, flags, context);
  if (install) {
    await installUnits(units, how, context, () => writeUnits(units, how.folder));
  } else if (flags.output === null) {
    context.stdout.write(units.map(({ text }) => text).join('\n'));
  } else {
    context.stdout.write(await writeUnits(units, flags.output));
  }
  return EXIT.done;
};

async function makeUnits(invocation: Invocation, flags: UnitFlags, context: Context): Promise<UnitFile[]> {
  if (invocation.flags.template) {
    const surplus = invocation.operand ?? Object.keys(invocation.flags).find((flag) => !FOR_TEMPLATES.has(flag));
    if (surplus !== undefined) {
      throw wrongUse(`cannot use ${surplus}: a template is the same for every application`, 'leave one of them out');
    }
    return [{ name: 'holdfast@.service', text: templateUnit() }];
  }
  if (!namesApplication(invocation)) {
    const hint = 'holdfast unit app.js, or holdfast unit holdfast.yaml; --template is for /etc/holdfast/*.yaml';
    throw wrongUse('cannot make a unit: no script or configuration file given', hint);
  }
  const installation = await findInstallation(context.env.PATH ?? '');
  const facts = await gatherFacts(invocation, flags, context, installation);
  const warnings = new Set(facts.flatMap((one) => one.warnings));
  for (const warning of warnings) context.stderr.write(`holdfast: warning: ${warning}\n`);
  return facts.flatMap((one) => unitsOf(one, flags));
}

const FOR_TEMPLATES: ReadonlySet<string> = new Set(['template', 'output', 'install', 'yes']);

/** By its name alone where that is given: the application may be gone already. */
async function namesOf(invocation: Invocation, flags: UnitFlags, context: Context): Promise<readonly string[]> {
  if (invocation.flags.template) return ['holdfast@'];
  const name = flagText(invocation, 'name');
  // The name becomes that of a file.
  if (name !== undefined && /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(name)) return [name];
  if (name !== undefined || !namesApplication(invocation)) {
    throw wrongUse('cannot uninstall: no name given', 'holdfast unit --name shop --uninstall');
  }
  const installation = await findInstallation(context.env.PATH ?? '');
  return (await gatherFacts(invocation, flags, context, installation)).map((one) => one.name);
}

/** `--exec -- ./server` names it behind the dashes. */
function namesApplication({ operand, flags, applicationArgs }: Invocation): boolean {
  return operand !== undefined || flags.script !== undefined || (flags.exec === true && applicationArgs.length > 0);
}

function unitsOf({ name, service }: UnitFacts, { listen }: UnitFlags): UnitFile[] {
  const { systemd, user } = service;
  const header = (file: string) => [
    `${FOLDER}/${file}`,
    `Made by holdfast unit for systemd ${systemd}. To change it: systemctl edit ${file}`,
  ];
  const files = [{ name: `${name}.service`, text: serviceUnit({ ...service, header: header(`${name}.service`) }) }];
  if (listen.length > 0) {
    const isRoot = user.kind === 'fixed' && ['root', '0'].includes(user.name);
    const text = socketUnit({ name, listen, isRoot, systemd, header: header(`${name}.socket`) });
    files.push({ name: `${name}.socket`, text });
  }
  return files;
}

/** All or none: a unit that somebody has changed is not written over. @returns what to do next */
async function writeUnits(units: readonly UnitFile[], folder: string): Promise<string> {
  const files = units.map(({ name, text }) => ({ file: path.join(folder, name), text }));
  for (const { file } of files) {
    const exists = await access(file).then(
      () => true,
      () => false,
    );
    if (exists) {
      throw new HoldfastError('UNIT_EXISTS', `cannot write ${file}: it exists already`, {
        hint: `to see what would change: holdfast unit ... | diff ${file} -`,
      });
    }
  }
  for (const { file, text } of files) {
    await writeFile(file, text, { flag: 'wx', mode: 0o644 }).catch((cause: NodeJS.ErrnoException) => {
      throw new HoldfastError('UNIT_UNWRITABLE', `cannot write ${file}: ${cause.code}`, {
        hint: 'the folder must exist and be writable: sudo holdfast unit ... --output /etc/systemd/system',
        cause,
      });
    });
  }
  const start = units.at(-1)?.name.includes('@') ? 'holdfast@NAME' : units.map(({ name }) => name).join(' ');
  return [
    ...files.map(({ file }) => `${file}\n`),
    `  check     systemd-analyze verify ${files.map(({ file }) => file).join(' ')}\n`,
    `  start     systemctl daemon-reload && systemctl enable --now ${start}\n`,
  ].join('');
}

function wrongUse(message: string, hint: string): HoldfastError {
  return new HoldfastError('USAGE', message, { hint, exitCode: EXIT.usage });
}
