/**
 * `holdfast start`, first half: reads command line and configuration, and hands the result to who becomes the supervisor.
 * See `prepared-config.ts` for where it runs.
 */
import { type ConfigSource, loadConfig, logicalCwd } from '../../config/load.js';
import { OPTIONS } from '../../config/options.js';
import { EXIT } from '../../errors.js';
import { readResources } from '../../platform/resources.js';
import type { Command, Invocation } from '../context.js';

/** @throws ConfigError */
export const run: Command = async (invocation, { env, cwd, stderr, onPrepared }) => {
  const source: ConfigSource = {
    target: invocation.operand,
    args: invocation.applicationArgs,
    flags: configFlags(invocation),
    env,
    cwd: logicalCwd(env, cwd),
    resources: await readResources(),
  };
  const loaded = await loadConfig(source);
  if (loaded.resolved !== null) stderr.write(`holdfast: ${loaded.resolved}\n`);
  onPrepared?.(JSON.stringify(loaded));
  return EXIT.done;
};

/** The flags that were given, by the names that the options have in the configuration. */
function configFlags({ flags }: Invocation): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    OPTIONS.flatMap(({ name, flag }) => (flags[flag] === undefined ? [] : [[name, flags[flag]]])),
  );
}
