/**
 * Looks up on the disk what the options name: working folder, script, file of variables, log file.
 */
import path from 'node:path';
import { stat } from '../files-at-once.js';
import { COMMAND_LINE } from './layers/flags.js';
import type { Chosen, ChosenOptions } from './layers/precedence.js';
import { isLauncher } from './program/command/launchers.js';
import type { Program } from './program/program.js';
import { findScript, plainScript, typesFault } from './program/script.js';
import { type Fault, show } from './schema/fault.js';
import type { SettingName } from './schema/schema.js';
import { readEnvFile } from './text/env-file.js';
import { reasonFor, Unreadable } from './text/text-file.js';
import { readToken } from './text/token-file.js';

/** All paths but `script` are absolute, symbolic links not resolved. Where there is a fault, a stand-in. */
export interface Found {
  readonly cwd: string;
  readonly script: string;
  /** What the command behind the script brings along, where the script is one. */
  readonly program: Program | null;
  readonly logFile: string | null;
  readonly adminTokenFile: string | null;
  readonly adminMetricsTokenFile: string | null;
  readonly envFileVariables: Readonly<Record<string, string>>;
}

/** Whether an option may have been meant to be other than it seems, because of a fault that is known already. */
export type Uncertainty = (name: SettingName) => boolean;

export interface LocateOptions {
  /** The working folder if no option names one. */
  readonly folder: string;
  /** The configuration file, if there is one. */
  readonly file: string | null;
  /** Where the application is in it: `apps[0].`, or ''. */
  readonly at: string;
  /** Of the supervisor. */
  readonly env: NodeJS.ProcessEnv;
  readonly isUncertain: Uncertainty;
  /** Gets what is not there. */
  readonly faults: Fault[];
}

export async function locate(
  chosen: ChosenOptions,
  { folder, file, at, env, isUncertain, faults }: LocateOptions,
): Promise<Found> {
  const cwdOption = chosen.get('cwd') ?? { source: COMMAND_LINE, path: 'cwd', base: folder, value: folder };
  const cwd = absolute(cwdOption);
  const hasCwd = (await orFault(cwdOption, checkFolder(cwd), faults)) ?? false;

  const envFile = chosen.get('envFile');
  const variables =
    (envFile === undefined ? null : await orFault(envFile, readEnvFile(absolute(envFile)), faults)) ?? {};

  const scriptOption = chosen.get('script');
  let program: Program | null = null;
  if (scriptOption === undefined) {
    if (!isUncertain('script')) {
      faults.push({ source: file ?? COMMAND_LINE, path: `${at}script`, value: null, allowed: howToGiveScript(file) });
    }
  } else if (hasCwd && !(['cwd', 'script', 'interpreter', 'exec'] as const).some(isUncertain)) {
    const seen = { ...env, ...variables, ...chosen.get('env')?.value };
    program = await orFault(
      scriptOption,
      findProgram(scriptOption.value, chosen, { cwd, env: seen, isUncertain }),
      faults,
    );
  }

  const tokenFile = async (name: 'adminTokenFile' | 'adminMetricsTokenFile') => {
    const option = chosen.get(name);
    if (option === undefined) return null;
    await orFault(option, readToken(absolute(option)), faults);
    return absolute(option);
  };
  const logFile = chosen.get('logFile');
  return {
    adminTokenFile: await tokenFile('adminTokenFile'),
    adminMetricsTokenFile: await tokenFile('adminMetricsTokenFile'),
    cwd: program?.cwd ?? cwd,
    script: program?.script ?? '',
    program,
    logFile: logFile === undefined ? null : absolute(logFile),
    envFileVariables: variables,
  };
}

/** @returns null where that depends on what is wrong; @throws Unreadable */
async function findProgram(
  script: string,
  chosen: ChosenOptions,
  { cwd, env, isUncertain }: Pick<LocateOptions, 'env' | 'isUncertain'> & { readonly cwd: string },
): Promise<Program | null> {
  if (chosen.get('exec')?.value) {
    const { findNativeProgram } = await import('./program/native.js');
    return findNativeProgram(script, { cwd, env, args: chosen.get('args')?.value ?? [] });
  }
  const interpreter = chosen.get('interpreter')?.value ?? 'node';
  const args = chosen.get('args')?.value ?? [];
  const nodeArgs = chosen.get('nodeArgs')?.value ?? [];
  const file = await findScript(script, cwd);
  // Its command is in the arguments.
  if (file === null && isLauncher(script) && isUncertain('args')) return null;
  const program =
    file !== null && interpreter === 'node'
      ? plainScript(file, { cwd, args })
      : await (await import('./program/resolve.js')).resolveProgram(
          interpreter === 'node' ? script : [interpreter, script],
          { cwd, env, args },
        );
  const fault = typesFault(program.script, [
    ...nodeArgs,
    ...program.nodeArgs,
    env.NODE_OPTIONS ?? '',
    program.env.NODE_OPTIONS ?? '',
  ]);
  if (fault !== null) throw new Unreadable(fault);
  return program;
}

/** A path is relative to the source that gives it. */
function absolute(option: Chosen<string>): string {
  return path.resolve(option.base, option.value);
}

async function checkFolder(folder: string): Promise<true> {
  const stats = await stat(folder).catch(async (error: unknown) => {
    throw new Unreadable(await reasonFor(folder, error, 'folder'), { cause: error });
  });
  if (!stats.isDirectory()) throw new Unreadable(`must be a folder; ${folder} is not`);
  return true;
}

/** What `reading` yields, or null and one fault more. */
async function orFault<T>(option: Chosen<string>, reading: Promise<T>, faults: Fault[]): Promise<T | null> {
  try {
    return await reading;
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    faults.push({ source: option.source, path: option.path, value: show(option.value), allowed: error.message });
    return null;
  }
}

function howToGiveScript(file: string | null): string {
  return file === null
    ? 'must be given: holdfast start app.js, or holdfast start holdfast.yaml with "script: app.js" in it'
    : 'must be given, such as "script: app.js"';
}
