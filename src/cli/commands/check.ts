/** `holdfast check`: what a configuration comes to, without starting anything. */
import type { Config } from '../../config/config.js';
import { loadApplications, logicalCwd } from '../../config/load.js';
import { EXIT } from '../../errors.js';
import { readResources } from '../../platform/resources.js';
import { notesText, onlyOf } from '../output/pm2-notes.js';
import { printable } from '../output/table.js';
import type { Command } from '../process/context.js';

/** @throws ConfigError, exit code 2, with every fault */
export const run: Command = async (invocation, { stdout, stderr, env, cwd }) => {
  const { environment, only } = { environment: invocation.flags.env, only: onlyOf(invocation) };
  const { applications, file } = await loadApplications({
    target: invocation.operand,
    args: [],
    flags: environment === undefined ? {} : { env: [environment] },
    only,
    env,
    cwd: logicalCwd(env, cwd),
    resources: await readResources(),
  });
  const shown = applications.map(({ config }) => withoutSecrets(config));
  if (invocation.flags.json) {
    const [config] = shown;
    const content = shown.length === 1 ? { file, config } : { file, configs: shown };
    stdout.write(`${JSON.stringify(content, null, 2)}\n`);
  } else {
    const parts = shown.map((one) => (shown.length === 1 ? '' : `${one.name}\n`) + settings(one));
    stdout.write(`${file ?? invocation.operand}: correct\n\n${parts.join('\n')}`);
  }
  // Last, where it is read: the options of several applications are some screens long.
  for (const warning of new Set(applications.flatMap(({ warnings }) => warnings))) {
    stderr.write(`holdfast: warning: ${warning}\n`);
  }
  for (const application of applications) {
    stderr.write(notesText(application));
    if (application.resolved !== null) stderr.write(`holdfast: ${application.resolved}\n`);
  }
  return EXIT.done;
};

/** Values of environment variables are passwords as often as not: only their names are shown. */
function withoutSecrets(config: Config): Readonly<Record<string, unknown>> {
  return { ...config, env: Object.keys(config.env).sort() };
}

function settings(shown: Readonly<Record<string, unknown>>): string {
  const width = Math.max(...Object.keys(shown).map((name) => name.length));
  return Object.entries(shown)
    .map(([name, value]) => `  ${name.padEnd(width)}  ${printable(settingText(value))}\n`)
    .join('');
}

function settingText(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? '-' : value.map(String).join(' ');
  if (typeof value !== 'object') return String(value);
  const members = Object.entries(value ?? {}).map(([name, member]) => `${name}: ${member}`);
  return members.join('; ') || '-';
}
