/** Finds out what a unit has to say about an application: reads the configuration, and looks at its files. */
import { realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '../../config/config.js';
import { isConfigFile } from '../../config/file/config-name.js';
import { type LoadedApplication, loadApplications, logicalCwd } from '../../config/load.js';
import { OPTIONS } from '../../config/options.js';
import { isLauncher } from '../../config/program/command/launchers.js';
import { findScript } from '../../config/program/script.js';
import { EXIT, HoldfastError } from '../../errors.js';
import { type Installation, userName } from '../../platform/installation.js';
import { readResources } from '../../platform/resources.js';
import type { ServiceDescription, ServiceUser } from '../../systemd/unit.js';
import { onlyOf } from '../output/pm2-notes.js';
import type { Context, Invocation } from '../process/context.js';
import type { UnitFlags } from './unit-flags.js';

export interface UnitFacts {
  readonly name: string;
  readonly service: Omit<ServiceDescription, 'header'>;
  readonly warnings: readonly string[];
}

/** Older ones are hardly met any more; what they do not know they pass over. RHEL 8 has it. */
const OLDEST_SYSTEMD = 239;
/** What the supervisor takes for itself, when it starts and when it stops. */
const MARGIN_MS = 30_000;
const HOME = ['/home', '/root', '/run/user'];
const READ_BY_OTHERS = 0o004;
/** Options that are paths of the shell's folder. */
const PATHS: ReadonlySet<string> = new Set(['cwd', 'envFile', 'logFile', 'adminTokenFile', 'adminMetricsTokenFile']);
const IN_TMP = /^\/(?:var\/)?tmp\/[^/]+/;

/**
 * @returns of each application; a file may have several
 * @throws ConfigError; HoldfastError USAGE; exit code 2
 */
export async function gatherFacts(
  invocation: Invocation,
  flags: UnitFlags,
  { env, cwd }: Context,
  installation: Installation,
): Promise<readonly UnitFacts[]> {
  const here = logicalCwd(env, cwd);
  const target = invocation.operand === undefined ? undefined : await targetOf(invocation.operand, here);
  const folder = workingFolder(here, target);
  const given = startFlags(invocation, here);
  // What is in the environment of this shell is not in that of the service.
  const args = invocation.applicationArgs;
  const only = onlyOf(invocation);
  const { applications } = await loadApplications({
    target,
    args,
    flags: given,
    only,
    runsAs: { ...(flags.user !== null && { user: flags.user }), ...(flags.group !== null && { group: flags.group }) },
    env: {},
    cwd: folder,
    resources: readResources(),
  });
  const isSeveral = applications.length > 1;
  if (isSeveral && flags.listen.length > 0) {
    const hint = `choose it with --only: ${applications.map(({ config }) => config.name).join(', ')}`;
    throw new HoldfastError('USAGE', 'cannot use --socket: it is for a file with one application', {
      hint,
      exitCode: EXIT.usage,
    });
  }
  return Promise.all(
    applications.map((application) => {
      const chosen = isSeveral ? [application.config.name] : only;
      const words = startWords(target, { ...given, only: chosen }, application.config.name, args);
      return factsOf(application, { flags, installation, folder, words });
    }),
  );
}

interface Given {
  readonly flags: UnitFlags;
  readonly installation: Installation;
  /** The service's working folder. */
  readonly folder: string;
  /** Behind `start`. */
  readonly words: readonly string[];
}

async function factsOf(
  { config, file, warnings }: LoadedApplication,
  { flags, installation, folder, words }: Given,
): Promise<UnitFacts> {
  const script = path.resolve(config.cwd, config.script);
  const holdfast = await throughLink(installation.holdfast, [folder, config.cwd]);
  const program = [installation.node, holdfast];
  const writable = [...flags.writable, ...(config.logFile === null ? [] : [path.dirname(config.logFile)])];
  const read = await withTargets([...program, script, config.cwd, folder, ...(file === null ? [] : [file])]);
  const isBelow = (folders: readonly string[]) =>
    [...read, ...writable].some((one) => folders.some((parent) => one === parent || one.startsWith(`${parent}/`)));
  const readsTmp = [...new Set(read.flatMap((one) => IN_TMP.exec(one)?.[0] ?? []))];
  const { uid: owner, mode } = await stat(script);
  const user = await chooseUser(flags, config.name, owner);
  const physical = await realpath(folder);

  return {
    name: config.name,
    warnings: [
      ...warnings,
      ...doubts({ user, installation, flags, holdfast, readsTmp, readsRoot: isBelow(['/root']) }),
      ...(user.kind === 'dynamic' && (mode & READ_BY_OTHERS) === 0 ? [`${script} can be read by its owner alone`] : []),
      ...(user.kind === 'dynamic' && config.logFile !== null
        ? [`a user of its own cannot write ${config.logFile}: choose one with --user, or leave the log to the journal`]
        : []),
    ],
    service: {
      name: config.name,
      description: `${config.name} (holdfast)`,
      systemd: flags.systemd ?? installation.systemd ?? OLDEST_SYSTEMD,
      start: [...program, 'start', ...words],
      reload: [...program, 'reload', `--name=${config.name}`],
      stop: [...program, 'stop', `--name=${config.name}`],
      workingFolder: folder,
      pwd: physical === folder ? null : folder,
      user,
      instances: config.instances,
      surge: config.surge,
      // Of a reload as well.
      startTimeoutMs:
        config.bindTimeoutMs + config.readyTimeoutMs + Math.max(config.soakMs, config.trialMs) + MARGIN_MS,
      // Once for the workers, once for what they leave behind.
      stopTimeoutMs: config.drainTimeoutMs + 2 * config.killTimeoutMs + MARGIN_MS,
      notifiesItself: installation.hasNative,
      hasSocket: flags.listen.length > 0,
      readsHome: isBelow(HOME),
      readsTmp,
      privilegedPorts: flags.privilegedPorts || (flags.listen.length === 0 && hasPrivilegedPort(config)),
      writable,
    },
  };
}

/** What lies somewhere has its whole path; a command, or the program of a package, stays as it is. */
async function targetOf(operand: string, here: string): Promise<string> {
  const file = path.resolve(here, operand);
  if (isConfigFile(operand) || (await findScript(operand, here).catch(() => null)) !== null) return file;
  const exists = (await stat(file).catch(() => null)) !== null;
  const isCommand = /\s/.test(operand) || isLauncher(operand) || !operand.includes('/');
  return isCommand && !exists ? operand : file;
}

/**
 * The application's folder, whatever the administrator's is at the moment: `/root`, as often as not. For a script it is
 * this folder where the script is somewhere in it, as for `holdfast start`.
 */
function workingFolder(here: string, target: string | undefined): string {
  if (target === undefined || target === here || !path.isAbsolute(target)) return here;
  return !isConfigFile(target) && target.startsWith(`${here}/`) ? here : path.dirname(target);
}

/** By the options' names. Paths are absolute, so that they mean the same wherever they are said. */
function startFlags({ flags }: Invocation, here: string): Readonly<Record<string, unknown>> {
  const given = OPTIONS.flatMap(({ name, flag }) => {
    const value = flags[flag];
    if (value === undefined) return [];
    return [[name, PATHS.has(name) ? path.resolve(here, String(value)) : value]];
  });
  return Object.fromEntries(given);
}

/** The words behind `start`. */
function startWords(
  target: string | undefined,
  given: Readonly<Record<string, unknown>>,
  name: string,
  args: readonly string[],
): string[] {
  const options = OPTIONS.flatMap(({ name: option, flag }) => {
    const value = given[option];
    if (value === undefined || option === 'name') return [];
    return value === true ? [`--${flag}`] : [value].flat().map((text) => `--${flag}=${text}`);
  });
  return [
    ...(target === undefined ? [] : [target]),
    `--name=${name}`,
    ...(given.only === null ? [] : [`--only=${[given.only].flat().join(',')}`]),
    ...options,
    ...(args.length === 0 ? [] : ['--', ...args]),
  ];
}

/**
 * Who owns the application runs it. Where that is root, as it should be, so that the application cannot change its own
 * code, it is a user who owns nothing at all: nobody wants to learn in the night that it was root.
 */
async function chooseUser(flags: UnitFlags, name: string, owner: number): Promise<ServiceUser> {
  if (flags.user === 'dynamic' || (flags.user === null && owner === 0)) {
    const own = `holdfast-${name.toLowerCase().replace(/[^a-z0-9_-]/g, '-')}`;
    return { kind: 'dynamic', name: own.slice(0, 31) };
  }
  return { kind: 'fixed', name: flags.user ?? (await userName(owner)), group: flags.group };
}

/** `PORT` is where nearly every application is told its port. */
function hasPrivilegedPort({ env, listen }: Config): boolean {
  const port = Number(env.PORT);
  return [port, ...listen.map((target) => target.port)].some((one) => one >= 1 && one < 1024);
}

/** Holdfast may lie inside of a release; then it goes by the link that a deployment moves, as the application does. */
async function throughLink(file: string, folders: readonly string[]): Promise<string> {
  for (const folder of folders) {
    const physical = `${await realpath(folder)}/`;
    if (file.startsWith(physical)) return path.join(folder, file.slice(physical.length));
  }
  return file;
}

/** The paths, and what they lead to. */
async function withTargets(paths: readonly string[]): Promise<string[]> {
  const targets = await Promise.all(paths.map((one) => realpath(one).catch(() => one)));
  return [...paths, ...targets];
}

interface Doubtful {
  readonly user: ServiceUser;
  readonly installation: Installation;
  readonly flags: UnitFlags;
  readonly holdfast: string;
  readonly readsTmp: readonly string[];
  readonly readsRoot: boolean;
}

function doubts({ user, installation, flags, holdfast, readsTmp, readsRoot }: Doubtful): string[] {
  const name = user.kind === 'fixed' ? user.name : null;
  const isRoot = name === 'root' || name === '0';
  return [
    flags.systemd === null && installation.systemd === null
      ? `systemd does not tell its version; the units are for ${OLDEST_SYSTEMD} and later (--systemd-version)`
      : '',
    name === 'nobody' ? 'nobody is a user that other services run as, too; --user dynamic is one of its own' : '',
    isRoot ? 'the application runs as root; --user dynamic is a user of its own' : '',
    readsRoot && !isRoot ? 'what lies below /root can be read by root alone; the service will not start' : '',
    readsTmp.length > 0 ? `it needs ${readsTmp.join(', ')}: what lies there may go at any time` : '',
    /\/_npx\//.test(holdfast) ? `holdfast is in npm's cache (${holdfast}), which may be emptied; install it` : '',
  ].filter((text) => text !== '');
}
