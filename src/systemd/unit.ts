/**
 * The units under which systemd runs a supervisor. Pure: texts out of a plain description; `holdfast unit` gathers the
 * facts. See systemd.service(5), systemd.socket(5) and systemd.exec(5).
 */
import { EXIT, HoldfastError } from '../errors.js';
import { type Block, type Setting, set, unitFile } from './unit-file.js';
import { hardening, type Sandbox } from './unit-hardening.js';
import { commandLine, type Text, wholeLine, word } from './unit-text.js';

export type ServiceUser =
  /** One that exists while the service runs, and owns nothing. `name` is null where systemd is to choose it. */
  | { readonly kind: 'dynamic'; readonly name: string | null }
  | { readonly kind: 'fixed'; readonly name: string; readonly group: string | null };

export interface ServiceDescription extends Omit<Sandbox, 'isRoot'> {
  /** Of the supervisor, and of the unit. */
  readonly name: Text;
  /** For people. */
  readonly description: Text;
  /** Version of systemd. */
  readonly systemd: number;
  /** Program, absolute, and its arguments. */
  readonly start: readonly Text[];
  readonly reload: readonly Text[];
  readonly stop: readonly Text[];
  readonly workingFolder: Text;
  /** The working folder's logical name, where the service must go by it because it leads through a symbolic link. */
  readonly pwd: string | null;
  readonly user: ServiceUser;
  /** Slots, and workers beyond them during a rollout. */
  readonly instances: number;
  readonly surge: number;
  readonly startTimeoutMs: number;
  readonly stopTimeoutMs: number;
  /** Whether the supervisor speaks to systemd itself: without koffi it has to have systemd-notify do it. */
  readonly notifiesItself: boolean;
  /** There is a socket unit of the same name. */
  readonly hasSocket: boolean;
  readonly header: readonly string[];
}

export interface SocketAddress {
  readonly setting: 'ListenStream' | 'ListenDatagram';
  /** As systemd takes it. */
  readonly address: string;
}

export interface SocketDescription {
  readonly name: string;
  readonly listen: readonly SocketAddress[];
  /** Of the service. */
  readonly isRoot: boolean;
  readonly systemd: number;
  readonly header: readonly string[];
}

/** Where systemd has no dynamic users, the service would run as root: nobody has asked for that. */
const DYNAMIC_USER_SINCE = 235;
/** From here on a reload is a signal, and systemd waits until the supervisor says that it is done. */
const NOTIFY_RELOAD_SINCE = 253;
/** From here on a command after the end is told what that was: whether the service is started again. */
const SERVICE_RESULT_SINCE = 232;
/** More addresses than an application has. */
const ADDRESSES = 8;
/** A worker of Node has about a dozen threads; one with a large pool some more. */
const TASKS_PER_WORKER = 128;

/** @throws HoldfastError, exit code 2, for what cannot be written, or not for this version */
export function serviceUnit(about: ServiceDescription): string {
  const { systemd, user } = about;
  if (user.kind === 'dynamic' && systemd < DYNAMIC_USER_SINCE) {
    throw new HoldfastError('UNIT_USER', `cannot choose a user: systemd ${systemd} has no DynamicUser=`, {
      hint: 'give one with --user',
      exitCode: EXIT.usage,
    });
  }
  const isRoot = user.kind === 'fixed' && ['root', '0'].includes(user.name);
  return unitFile(
    about.header,
    [
      { title: 'Unit', blocks: [unitBlock(about)] },
      { title: 'Service', blocks: [...serviceBlocks(about), ...hardening({ ...about, isRoot })] },
      {
        title: 'Install',
        blocks: [
          {
            settings: [
              set('WantedBy', 'multi-user.target'),
              about.hasSocket ? set('Also', `${wholeLine(about.name)}.socket`) : null,
            ],
          },
        ],
      },
    ],
    systemd,
  );
}

function unitBlock({ description, hasSocket, name }: ServiceDescription): Block {
  const socket = hasSocket ? [set('Requires', `${wholeLine(name)}.socket`)] : [];
  const after = hasSocket ? ` ${wholeLine(name)}.socket` : '';
  return {
    settings: [
      set('Description', wholeLine(description)),
      set('Wants', 'network-online.target'),
      set('After', `network-online.target${after}`),
      ...socket,
      // However often it fails: it is tried again.
      set('StartLimitIntervalSec', 0, 230),
    ],
  };
}

function serviceBlocks(about: ServiceDescription): Block[] {
  const { systemd } = about;
  const outlives = systemd >= SERVICE_RESULT_SINCE;
  const workers = about.instances + about.surge;
  return [
    {
      settings: [
        ...typeSettings(about),
        set('WorkingDirectory', wholeLine(about.workingFolder)),
        about.pwd === null ? null : set('Environment', word(`PWD=${about.pwd}`)),
        set('Environment', 'NODE_ENV=production'),
      ],
    },
    { why: userReason(about.user), settings: userSettings(about.user) },
    {
      why: `For people: HOLDFAST_RUNTIME_DIR=${runtimeFolder(about.name)} holdfast status`,
      settings: [
        set('RuntimeDirectory', wholeLine(prefixed('holdfast-', about.name))),
        set('RuntimeDirectoryMode', '0700'),
        // Unix sockets in it keep their names, as they keep what waits in them. That of a user who exists only while it runs would
        // be kept behind a symbolic link, which no runtime folder may be.
        about.user.kind === 'dynamic' ? null : set('RuntimeDirectoryPreserve', 'restart', 235),
        set('Environment', word(environment('HOLDFAST_RUNTIME_DIR=', runtimeFolder(about.name)))),
        set('StateDirectory', wholeLine(prefixed('holdfast/', about.name)), 235),
        set('StateDirectoryMode', '0700', 235),
        set('SyslogIdentifier', wholeLine(about.name)),
      ],
    },
    {
      why: 'It is started again for as long as it takes; after `holdfast stop` it is not.',
      settings: [
        set('Restart', 'on-failure'),
        ...(systemd >= 254
          ? [set('RestartSec', '500ms'), set('RestartSteps', 8), set('RestartMaxDelaySec', 30)]
          : [set('RestartSec', 2)]),
        set('WatchdogSec', 30),
      ],
    },
    {
      why: outlives
        ? 'The supervisor drains the workers. Where it dies they serve on, and the next one takes them over; those that a stop leaves are ended.'
        : 'The supervisor drains the workers; what is left when the time is over is killed.',
      settings: [
        set('KillMode', outlives ? 'process' : 'mixed'),
        outlives ? set('ExecStopPost', `-${commandLine(about.stop)}`) : null,
        set('TimeoutStartSec', seconds(about.startTimeoutMs)),
        set('TimeoutStopSec', seconds(about.stopTimeoutMs)),
      ],
    },
    {
      why: 'A worker that is killed for want of memory is replaced, and does not take the others with it.',
      settings: [
        set('OOMPolicy', 'continue', 243),
        set('LimitNOFILE', 524_288),
        set('TasksMax', Math.max(1024, workers * TASKS_PER_WORKER), 227),
        // Twice the slots: they may be scaled up. The sockets wait here while the supervisor is started again.
        set('FileDescriptorStoreMax', Math.max(64, 2 * workers * ADDRESSES), 219),
      ],
    },
  ];
}

function typeSettings({ systemd, start, reload, notifiesItself }: ServiceDescription): Setting[] {
  return [
    set('Type', systemd >= NOTIFY_RELOAD_SINCE ? 'notify-reload' : 'notify'),
    set('NotifyAccess', notifiesItself ? 'main' : 'all'),
    set('ExecStart', commandLine(start)),
    ...(systemd >= NOTIFY_RELOAD_SINCE ? [] : [set('ExecReload', commandLine(reload))]),
  ];
}

function userReason(user: ServiceUser): string | undefined {
  return user.kind === 'dynamic'
    ? 'A user of its own, who exists while it runs and owns none of the files.'
    : undefined;
}

function userSettings(user: ServiceUser): (Setting | null)[] {
  if (user.kind === 'dynamic') {
    return [user.name === null ? null : set('User', user.name), set('DynamicUser', 'yes', DYNAMIC_USER_SINCE)];
  }
  return [set('User', wholeLine(user.name)), user.group === null ? null : set('Group', wholeLine(user.group))];
}

export function socketUnit({ name, listen, isRoot, systemd, header }: SocketDescription): string {
  const settings = [
    ...listen.map(({ setting, address }) => set(setting, wholeLine(address))),
    // As much as net.core.somaxconn allows on most machines; older versions would choose 128.
    set('Backlog', 4096),
    // The kernel lets only the same user bind more sockets beside this one, and it is root's.
    isRoot ? set('ReusePort', 'yes') : null,
    set('FileDescriptorName', name, 227),
    set('Service', `${name}.service`),
  ];
  return unitFile(
    header,
    [
      { title: 'Unit', blocks: [{ settings: [set('Description', `Sockets of ${name}`)] }] },
      { title: 'Socket', blocks: [{ settings }] },
      { title: 'Install', blocks: [{ settings: [set('WantedBy', 'sockets.target')] }] },
    ],
    systemd,
  );
}

/** Not /run/holdfast, which is that of root's own supervisors, nor /run/NAME, which may be another program's. */
function runtimeFolder(name: Text): string {
  return `/run/holdfast-${typeof name === 'string' ? name : name.raw}`;
}

function prefixed(prefix: string, name: Text): Text {
  return typeof name === 'string' ? prefix + name : { raw: prefix + name.raw };
}

/** Names of supervisors are plain, and those of templates are specifiers: neither needs quotes. */
function environment(prefix: string, value: string): Text {
  return { raw: prefix + value };
}

/** Rounded up: systemd must not be the first to lose its patience. */
function seconds(ms: number): number {
  return Math.ceil(ms / 1000);
}
