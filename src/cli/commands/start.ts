/**
 * `holdfast start`, first half: reads command line and configuration and hands the result to the process that becomes
 * the supervisor, as JSON on file descriptor 3. See `prepared-config.ts` for why it runs in a process of its own.
 */
import { writeFileSync } from 'node:fs';
import { type ConfigSource, loadConfig, logicalCwd } from '../../config/load.js';
import { OPTIONS } from '../../config/options.js';
import { EXIT } from '../../errors.js';
import { readResources } from '../../platform/resources.js';
import type { Command, Invocation } from '../context.js';

const RESULT_FD = 3;

/** @throws ConfigError */
export const run: Command = async (invocation, { env, cwd }) => {
  const source: ConfigSource = {
    target: invocation.operand,
    args: invocation.applicationArgs,
    flags: configFlags(invocation),
    env,
    cwd: logicalCwd(env, cwd),
    resources: await readResources(),
  };
  writeFileSync(RESULT_FD, JSON.stringify(await loadConfig(source)));
  return EXIT.done;
};

/** The flags that were given, by the names that the options have in the configuration. */
function configFlags({ flags }: Invocation): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    OPTIONS.flatMap(({ name, flag }) => (flags[flag] === undefined ? [] : [[name, flags[flag]]])),
  );
}
