/**
 * `holdfast start`: this very process becomes the supervisor. Imports neither the command-line parser nor the schema
 * library: what is loaded here stays in memory for as long as the supervisor runs.
 */
import './engine.js';
import { logicalCwd } from '../../config/logical-cwd.js';
import type { ExitCode } from '../../errors.js';
import { launchSupervisor } from '../../supervisor/process/launch.js';
import type { Started } from '../../supervisor/supervisor-options.js';
import type { Arrival } from '../../supervisor/upgrade/arrival.js';
import type { SelfStart } from '../../supervisor/upgrade/upgrader.js';
import { describeError } from '../output/report-error.js';
import { type PreparedFrom, prepareConfig, prepareConfigAgain } from '../prepare/prepared-config.js';
import type { Context } from '../process/context.js';
import { hadTerminal, isTerminalGone } from '../process/controlling-terminal.js';
import { beforeEarlyEnd, isNextImage, takeOverSignals } from '../process/early-signals.js';
import { plainEnvironment } from '../process/node-options.js';
import { TAKEN_BACK, takeDetached, tellReady, wantsDetach, wantsReplace } from './detached.js';
import { openHost } from './host.js';

/** Never throws: what goes wrong is on stderr. */
export async function start(argv: readonly string[], context: Context): Promise<ExitCode> {
  const { env, cwd, runtimeDir } = context;
  const arrival = isNextImage ? (await import('../../supervisor/upgrade/arrival.js')).arrived() : null;
  const detached = takeDetached(env);
  const host = openHost(env);
  const ended = new AbortController();
  // As it is now: a reload starts from what the owner gave, not from what has been changed since.
  const from = { argv, env: { ...env }, cwd: logicalCwd(env, cwd), signal: ended.signal };
  beforeEarlyEnd(() => ended.abort());
  const tellStarted = (started: Started) => {
    const text = whatNext(started, env);
    if (detached === null) context.stderr.write(text);
    else tellReady(detached, started.notRolledOut == null ? text : text + TAKEN_BACK);
  };
  try {
    if (env.HOLDFAST_UPGRADE !== undefined)
      return await (await import('./check-upgrade.js')).checkUpgrade(from, context);
    if (wantsDetach(argv)) return await (await import('./detach.js')).detach(from, context);
    const { exitCode, loaded } = await prepareConfig(from, arrival === null ? context : overheard(context, arrival));
    if (loaded === null) return exitCode;
    if ('several' in loaded) {
      const { runSeveral } = await import('../several/parent.js');
      return await runSeveral(loaded.several, { argv, takeOverSignals });
    }
    // Of no concern to the workers; a reload has it from `from`.
    delete env.HOLDFAST_OPTIONS;
    return await launchSupervisor({
      loaded,
      reloadConfig: () => prepareConfigAgain(from),
      runtimeDir,
      arrival,
      replace: wantsReplace(argv),
      self: host === null ? selfStart(from, arrival) : 'the program that has started it holds a channel to it',
      // Who has typed the command has been told.
      ...(arrival === null && { onStarted: host?.tell ?? tellStarted }),
      hostGone: host?.gone ?? null,
      takeOverSignals,
      isTerminalGone: hadTerminal ? isTerminalGone : null,
    });
  } catch (error) {
    const { text, exitCode } = describeError(error);
    context.stderr.write(text);
    arrival?.heard(text);
    return exitCode;
  } finally {
    // Who still reads a configuration reads it for nobody.
    ended.abort();
  }
}

/** By which the next version is started in place of this one: without what was meant for this very process. */
function selfStart({ argv, env, cwd }: PreparedFrom, arrival: Arrival | null): SelfStart {
  const { LISTEN_PID, LISTEN_PIDFDID, LISTEN_FDS, LISTEN_FDNAMES, ...own } = plainEnvironment(env) ?? env;
  // One that was started again was started by its very file, which would lead to no other version.
  const { failure = null, program } = arrival?.state.upgrade ?? {};
  const script = failure === null ? process.argv[1] : program?.named;
  return { nodeArgs: process.execArgv, script: script ?? '', args: argv, env: own, cwd };
}

/** What it says is the reason why the version before is started again. */
function overheard(context: Context, arrival: Arrival): Context {
  const { stderr } = context;
  const write = (text: string) => {
    arrival.heard(text);
    return stderr.write(text);
  };
  return Object.create(context, { stderr: { value: { write } } });
}

/** For who has just typed the command, or reads the journal: where it is and what to do with it. */
function whatNext({ name, size, ready, addresses, notRolledOut = null }: Started, env: NodeJS.ProcessEnv): string {
  // Started by npm, from a checkout or a project's own dependency: it is not on the shell's path then.
  const holdfast = env.npm_execpath === undefined ? 'holdfast' : 'npx holdfast';
  const [address] = addresses;
  const count = ready === size ? size : `${ready} of ${size}`;
  const lines = [`holdfast: ${name} runs with ${count} worker${size === 1 ? '' : 's'}, PID ${process.pid}`];
  if (notRolledOut !== null) {
    lines.push(`  its workers are those from before, the new configuration was not rolled out: ${notRolledOut}`);
  }
  if (address !== undefined) {
    const host = ['::', '0.0.0.0'].includes(address.host) ? 'localhost' : address.host;
    lines.push(`  try it    curl http://${host.includes(':') ? `[${host}]` : host}:${address.port}/`);
  }
  lines.push(`  reload    ${holdfast} reload --name ${name}`, `  look      ${holdfast} status --name ${name}`);
  return `${lines.join('\n')}\n`;
}
