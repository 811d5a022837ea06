/** `holdfast stop`: drains, and ends the supervisor; where it has died, the workers that it left behind. */
import { EXIT, type ExitCode, HoldfastError } from '../../errors.js';
import { isNoSupervisor, type OrphanGroup, orphansIn } from '../gone/orphans.js';
import { type Command, type Context, flagText } from '../process/context.js';
import { request } from './request.js';

/** What became of a service that systemd starts again, and its workers serve on; systemd.exec(5), SERVICE_RESULT. */
const STARTED_AGAIN = ['exit-code', 'signal', 'core-dump', 'watchdog', 'oom-kill'];

export const run: Command = async (invocation, context) => {
  // As ExecStopPost= of a unit, where nobody may be left to be ended.
  const { SERVICE_RESULT: result } = context.env;
  if (result === undefined) return stop(invocation, context);
  if (STARTED_AGAIN.includes(result)) return EXIT.done;
  return stop(invocation, context).catch((error: unknown) => {
    if (isNoSupervisor(error)) return EXIT.done;
    throw error;
  });
};

const stop: Command = async (invocation, context) => {
  const isAll = invocation.names?.includes('all') ?? false;
  try {
    const code = await request('stop', 'stop', invocation, context);
    return isAll ? worse(code, await endAll(await orphansIn(context.runtimeDir, undefined), context)) : code;
  } catch (error) {
    const meant = isAll ? [undefined] : (invocation.names ?? [flagText(invocation, 'name')]);
    if (!isNoSupervisor(error) || meant.length > 1) throw error;
    const left = await orphansIn(context.runtimeDir, meant[0]);
    if (left.length === 0) throw error;
    if (left.length > 1 && !isAll) {
      throw new HoldfastError('NAME_NEEDED', 'cannot choose a supervisor: several have died and left workers', {
        hint: `give one of them with --name: ${left.map(({ name }) => name).join(', ')}`,
        exitCode: EXIT.usage,
      });
    }
    return endAll(left, context);
  }
};

/** Of those that run nobody is left here: they are asked to stop as always. */
async function endAll(left: readonly OrphanGroup[], { runtimeDir, stdout, stderr }: Context): Promise<ExitCode> {
  if (left.length === 0) return EXIT.done;
  const { endOrphans } = await import('../../supervisor/takeover/orphans/end-orphans.js');
  for (const { name } of left) {
    const count = await endOrphans({
      ...{ runtimeDir, name },
      onProgress: (message, { slot, worker, pid }) =>
        stderr.write(`  ${message} slot=${slot} worker=${worker} pid=${pid}\n`),
    });
    stdout.write(`${name}: stopped, ${count === 1 ? '1 worker' : `${count} workers`} of a supervisor that had died\n`);
  }
  return EXIT.done;
}

function worse(one: ExitCode, other: ExitCode): ExitCode {
  return one === EXIT.done ? other : one;
}
