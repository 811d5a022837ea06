/** `holdfast check`: what a configuration comes to, without starting anything. */
import type { Config } from '../../config/config.js';
import { loadConfig, logicalCwd } from '../../config/load.js';
import { EXIT } from '../../errors.js';
import { readResources } from '../../platform/resources.js';
import type { Command } from '../context.js';
import { printable } from '../table.js';

/** @throws ConfigError, exit code 2, with every fault */
export const run: Command = async (invocation, { stdout, stderr, env, cwd }) => {
  const { config, file, resolved, warnings } = await loadConfig({
    target: invocation.operand,
    args: [],
    flags: {},
    env,
    cwd: logicalCwd(env, cwd),
    resources: await readResources(),
  });
  for (const warning of warnings) stderr.write(`holdfast: warning: ${warning}\n`);
  if (resolved !== null) stderr.write(`holdfast: ${resolved}\n`);
  const shown = withoutSecrets(config);
  stdout.write(
    invocation.flags.json
      ? `${JSON.stringify({ file, config: shown }, null, 2)}\n`
      : `${file ?? invocation.operand}: correct\n\n${settings(shown)}`,
  );
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
  return value === null ? '-' : String(value);
}
