/**
 * `holdfast start`, first half: reads command line and configuration, and hands the result to who becomes the supervisor.
 * See `prepared-config.ts` for where it runs.
 */
import type { Config } from '../../config/config.js';
import { type ConfigSource, loadApplications, logicalCwd } from '../../config/load.js';
import { OPTIONS } from '../../config/options.js';
import { EXIT } from '../../errors.js';
import { readResources } from '../../platform/resources.js';
import { notesText, onlyOf } from '../output/pm2-notes.js';
import type { Several } from '../prepare/prepared-config.js';
import type { Command, Invocation } from '../process/context.js';

/** @throws ConfigError */
export const run: Command = async (invocation, context) => {
  const { env, cwd, onPrepared } = context;
  const source: ConfigSource = {
    target: invocation.operand,
    args: invocation.applicationArgs,
    flags: configFlags(invocation),
    only: onlyOf(invocation),
    env,
    cwd: logicalCwd(env, cwd),
    resources: readResources(),
  };
  const { applications, file } = await loadApplications(source);
  const [one, second] = applications;
  if (one === undefined || second !== undefined) {
    // Each of them is told about, and loaded, where it is started.
    onPrepared?.(JSON.stringify({ file, several: applications.map(({ config }) => partOf(config)) } satisfies Several));
    return EXIT.done;
  }
  const notes = notesText(one);
  // Whoever names the stream opens it, which takes milliseconds: the first worker is not forked yet.
  if (notes !== '') context.stderr.write(notes);
  if (one.resolved !== null) context.stderr.write(`holdfast: ${one.resolved}\n`);
  onPrepared?.(JSON.stringify(one));
  return EXIT.done;
};

function partOf({ name, logFormat, logFile }: Config): Several['several'][number] {
  return { name, logFormat, logFile };
}

/** The flags that were given, by the names that the options have in the configuration. */
function configFlags({ flags }: Invocation): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    OPTIONS.flatMap(({ name, flag }) => (flags[flag] === undefined ? [] : [[name, flags[flag]]])),
  );
}
