/** `holdfast logs`: follows the log lines of the workers and the supervisor until Ctrl-C. */
import { once } from 'node:events';
import { connectTo } from '../../control/client.js';
import { EXIT } from '../../errors.js';
import { type Command, flagText, wantsColour } from '../context.js';

/** @throws HoldfastError CONNECTION_LOST when the supervisor is killed meanwhile */
export const run: Command = async (invocation, context) => {
  const { stdout, stderr, env, runtimeDir } = context;
  const connection = await connectTo(runtimeDir, flagText(invocation, 'name'));
  const pretty = stdout.isTTY === true && !invocation.flags.json;
  const render = pretty
    ? (await import('../../logs/pretty.js')).prettifier(wantsColour(stdout, env))
    : (line: string) => `${line}\n`;
  const interrupted = context.interrupted();
  for await (const line of connection.logs(interrupted)) {
    if (stdout.write(render(line))) continue;
    // Waits: the supervisor counts what is lost meanwhile, and nothing piles up here.
    await once(stdout, 'drain', { signal: interrupted }).catch(() => {});
  }
  if (!interrupted.aborted) stderr.write(`${connection.name}: the supervisor has ended\n`);
  return EXIT.done;
};
