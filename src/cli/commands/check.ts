/** `holdfast check`: what a configuration comes to, without starting anything. */
import type { Config } from '../../config/config.js';
import { type LoadedConfig, loadApplications, logicalCwd } from '../../config/load.js';
import { EXIT } from '../../errors.js';
import { readResources } from '../../platform/resources.js';
import { notesText, onlyOf } from '../output/pm2-notes.js';
import { settingTable } from '../output/setting-table.js';
import { type Command, looksOf } from '../process/context.js';

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
    resources: readResources(),
  });
  if (invocation.flags.json) {
    const shown = applications.map(({ config }) => withoutSecrets(config));
    const [config] = shown;
    const content = shown.length === 1 ? { file, config } : { file, configs: shown };
    stdout.write(`${JSON.stringify(content, null, 2)}\n`);
  } else {
    const { columns } = looksOf(stdout, env);
    const title = ({ config }: LoadedConfig) => (applications.length === 1 ? '' : `${config.name}\n`);
    const parts = applications.map((one) => title(one) + settings(one, columns));
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

/** With the names of the variables in the place of their values. */
function settings({ config, origins }: LoadedConfig, columns?: number): string {
  const env = { name: 'env', value: Object.keys(config.env).sort().join(' ') || null, source: '', path: '' };
  return settingTable([...origins.settings, env], columns);
}
