/**
 * What the command line offers: every command with its options and its help. Plain data, read by the parser and by
 * the help; a command's own module is loaded when it runs.
 */
import { LOG_LEVELS } from '../../protocol/logs.js';
import type { Command } from '../process/context.js';

export interface FlagSpec {
  readonly flag: string;
  readonly alias?: string | undefined;
  readonly describe: string;
  /** `switch` needs no value, and may be denied (`--no-…`, `=false`); `list` may be given several times. */
  readonly kind: 'switch' | 'value' | 'list';
  readonly choices?: readonly string[] | undefined;
  readonly defaultText?: string | undefined;
  /** What the option is called in the configuration. */
  readonly option?: string | undefined;
}

export interface CommandSpec {
  readonly name: string;
  readonly aliases: readonly string[];
  /** More words for it, which are not offered: PM2 has them. */
  readonly understood?: readonly string[];
  readonly describe: string;
  /** Names of supervisors may stand behind the command: one, or several and `all`. */
  readonly names?: 'one' | 'many';
  readonly operand?: {
    readonly name: string;
    readonly describe: string;
    readonly required: boolean;
    /** What does not look like it is a name. */
    readonly pattern?: RegExp;
    /** All that it may be. */
    readonly choices?: readonly string[];
  };
  /** What follows `--` is the application's. */
  readonly applicationArgs?: boolean;
  readonly flags: () => Promise<readonly FlagSpec[]>;
  readonly examples: readonly (readonly [command: string, meaning: string])[];
  /** Stands at the end of the help, below the exit codes. */
  readonly note?: string;
  readonly load: () => Promise<{ readonly run: Command }>;
}

export const SHELLS = ['bash', 'zsh', 'fish'] as const;

export const GLOBAL_FLAGS: readonly FlagSpec[] = [
  { flag: 'help', alias: 'h', describe: 'Show this help', kind: 'switch' },
  { flag: 'version', describe: 'Show the version', kind: 'switch' },
];

const NAME: FlagSpec = {
  flag: 'name',
  describe: 'Which supervisor; needed only if several run',
  kind: 'value',
};

async function supervisorFlags(json: string): Promise<readonly FlagSpec[]> {
  return [NAME, { flag: 'json', describe: json, kind: 'switch' }];
}

/** Of a file with several applications; see the option env as well. */
const ONLY: FlagSpec = {
  flag: 'only',
  describe: 'From a file with several applications, only these: --only api,worker',
  kind: 'value',
};

const PM2_ENV: FlagSpec = {
  flag: 'env',
  describe: "From PM2's file, the variables of env_NAME: --env production",
  kind: 'value',
};

async function startFlags(): Promise<readonly FlagSpec[]> {
  const { OPTIONS } = await import('../../config/options.js');
  const options: readonly FlagSpec[] = OPTIONS.map(
    ({ name, flag, alias, describe, default: value, repeat, choices, isSwitch }) => ({
      flag,
      alias,
      describe,
      kind: isSwitch ? 'switch' : repeat ? 'list' : 'value',
      choices,
      defaultText: value === undefined || value === null || isSwitch ? undefined : String(value),
      option: name,
    }),
  );
  return [...options, ONLY];
}

/** Of commands that are about one worker. */
const WORKER = {
  name: 'N',
  describe: 'A worker by its id or, if no worker has that id, by its slot; holdfast status shows both',
  required: false,
  pattern: /^\d{1,9}$/,
} as const;

const SHOW_SECRETS: FlagSpec = {
  flag: 'show-secrets',
  describe: 'Also show values that may be secrets',
  kind: 'switch',
};

const UNIT_FLAGS: readonly FlagSpec[] = [
  { flag: 'output', describe: 'Folder to write the files to; no file is overwritten', kind: 'value' },
  {
    flag: 'user',
    describe: "Who runs it: a user, or dynamic (default: the script's owner, dynamic if root)",
    kind: 'value',
  },
  { flag: 'group', describe: "Its group (default: the user's)", kind: 'value' },
  { flag: 'socket', describe: 'A socket unit as well, with 80, 127.0.0.1:80, /run/shop.sock, udp:53', kind: 'list' },
  { flag: 'privileged-ports', describe: 'The application binds ports below 1024 itself', kind: 'switch' },
  { flag: 'writable', describe: 'A folder that the application may write to', kind: 'list' },
  { flag: 'install', describe: 'Write the unit, then load, enable and start it; asks first', kind: 'switch' },
  { flag: 'uninstall', describe: 'Stop and disable the unit, and remove its file; asks first', kind: 'switch' },
  { flag: 'yes', alias: 'y', describe: 'Do not ask', kind: 'switch' },
  { flag: 'template', describe: 'A unit for every configuration in /etc/holdfast', kind: 'switch' },
  {
    flag: 'systemd-version',
    describe: 'For another machine: the number that systemctl --version shows',
    kind: 'value',
  },
];

const DETACH: FlagSpec = {
  flag: 'detach',
  describe: 'Return when the application is ready; it keeps running without the terminal, and logs to a file',
  kind: 'switch',
};

const REPLACE: FlagSpec = {
  flag: 'replace',
  describe: 'Replace a running supervisor of this name: its workers stay, and the configuration is rolled out',
  kind: 'switch',
};

const REQUEST_JSON = 'Print the result as JSON';

const RELOAD_FLAGS: readonly FlagSpec[] = [
  { flag: 'canary', describe: 'Start one new worker first, with this share of new connections: 5%', kind: 'value' },
  { flag: 'for', describe: 'How long the canary is compared with the others', kind: 'value', defaultText: '2m' },
  { flag: 'promote', describe: 'Promote the canary now: the rollout continues', kind: 'switch' },
  { flag: 'abort', describe: 'Roll back the rollout that is under way', kind: 'switch' },
  { flag: 'follow', describe: 'Only show the progress of the rollout that is under way', kind: 'switch' },
  { flag: 'dry-run', describe: 'Only show what would change', kind: 'switch' },
];

const LOGS_FLAGS: readonly FlagSpec[] = [
  { flag: 'follow', alias: 'f', describe: 'Keep showing new lines, until Ctrl-C', kind: 'switch' },
  {
    flag: 'lines',
    describe: 'How many of the last lines (default with --since: all)',
    kind: 'value',
    defaultText: '20',
  },
  { flag: 'worker', describe: 'Only lines of this worker', kind: 'value' },
  { flag: 'slot', describe: 'Only lines of the workers of this slot', kind: 'value' },
  { flag: 'level', describe: 'Only this level and higher: warn', kind: 'value', choices: LOG_LEVELS },
  { flag: 'grep', describe: 'Only lines that match this regular expression', kind: 'value' },
  { flag: 'since', describe: 'Only newer lines: 10m, 2h, 2026-01-31T14:00', kind: 'value' },
];

export const COMMANDS: readonly CommandSpec[] = [
  {
    name: 'start',
    aliases: [],
    describe: 'Run an application in the foreground',
    operand: { name: 'target', describe: 'The application, or a configuration file', required: false },
    applicationArgs: true,
    flags: async () => [DETACH, REPLACE, ...(await startFlags())],
    examples: [
      ['$0 start server.js -i 4', 'four workers'],
      ['$0 start holdfast.yaml', 'with a configuration file'],
      ['$0 start ecosystem.config.cjs --env production', "PM2's file; --only api,worker for some of it"],
      ['$0 start server.js -i max -- --port 3000', 'with arguments for the application'],
      ['$0 start holdfast.yaml --replace', 'in the place of the one that runs, from another folder or version'],
    ],
    note: 'Ends with 0 after a stop that was asked for, with 1 when the application does not start.',
    load: () => import('../commands/start.js'),
  },
  {
    name: 'reload',
    aliases: [],
    names: 'many',
    describe: 'Replace all workers, one after the other, without losing a connection',
    flags: async () => [...RELOAD_FLAGS, ...(await supervisorFlags(REQUEST_JSON))],
    examples: [
      ['$0 reload', 'the only supervisor that runs'],
      ['$0 reload shop', 'one of several; also: reload shop api, reload all'],
      ['$0 reload --canary 5% --for 10m', 'one new worker first, compared with the others'],
      ['$0 reload --dry-run', 'what would change'],
    ],
    note: 'Ends with 1 and the reason when the new generation was rolled back. The old one keeps serving.',
    load: () => import('../commands/reload.js'),
  },
  {
    name: 'restart',
    aliases: [],
    names: 'many',
    describe: 'Stop all workers, then start all; new connections wait meanwhile',
    flags: () => supervisorFlags(REQUEST_JSON),
    examples: [['$0 restart shop', 'after a change that two generations cannot share']],
    load: () => import('../commands/restart.js'),
  },
  {
    name: 'status',
    aliases: ['ls', 'list', 'ps'],
    names: 'many',
    describe: 'Show the supervisors and their workers',
    flags: () => supervisorFlags('Print JSON: an object for one supervisor, an array for several and with ls'),
    examples: [
      ['$0 status', 'the workers of the only supervisor; where several run, a line for each'],
      ['$0 ls', 'a line for each supervisor in any case'],
      ['$0 status shop --json', 'one of them, for programs'],
    ],
    load: () => import('../commands/status.js'),
  },
  {
    name: 'top',
    aliases: ['monit'],
    names: 'one',
    describe: 'Watch the workers live, in the terminal',
    flags: async () => [
      { flag: 'once', describe: 'Print one plain table and end, as without a terminal', kind: 'switch' },
      ...(await supervisorFlags('Print the same once, as JSON')),
    ],
    examples: [
      ['$0 top', 'the only supervisor that runs, or a list of all'],
      ['$0 top shop --once', 'a table, for a file'],
    ],
    note: 'In the view: ? shows the keys, q quits.',
    load: () => import('../commands/top.js'),
  },
  {
    name: 'scale',
    aliases: [],
    names: 'many',
    describe: 'Change the number of workers',
    operand: {
      name: 'change',
      describe: 'N for a number, +N for more, -N for less',
      required: true,
      pattern: /^[+-]?\d/,
    },
    flags: () => supervisorFlags(REQUEST_JSON),
    examples: [
      ['$0 scale 4', 'four workers'],
      ['$0 scale +2', 'two more'],
      ['$0 scale shop -1', 'one less, where several supervisors run; also: scale shop api +1, scale all 2'],
    ],
    load: () => import('../commands/scale.js'),
  },
  {
    name: 'stop',
    aliases: ['delete'],
    names: 'many',
    describe: 'Let the workers finish their requests, then end the supervisor',
    flags: () => supervisorFlags(REQUEST_JSON),
    examples: [['$0 stop shop', 'returns when the last worker has gone']],
    load: () => import('../commands/stop.js'),
  },
  {
    name: 'upgrade',
    aliases: [],
    names: 'many',
    describe: 'Replace the supervisor itself with the version that is installed now; PID, workers and connections stay',
    flags: async () => [
      {
        flag: 'node',
        describe: 'Path of the Node that runs the supervisor, and new workers, from then on',
        kind: 'value',
      },
      ...(await supervisorFlags(REQUEST_JSON)),
    ],
    examples: [
      ['$0 upgrade', 'after npm install --global holdfast'],
      ['$0 upgrade shop --node /opt/node-24/bin/node', 'with another Node'],
    ],
    note: 'Ends with 1 and the reason when the new version would not start. The running one goes on.',
    load: () => import('../commands/upgrade.js'),
  },
  {
    name: 'logs',
    aliases: [],
    names: 'many',
    describe: 'Show the last log lines of the workers and the supervisor, or follow them',
    flags: async () => [...LOGS_FLAGS, ...(await supervisorFlags('Print JSON lines, also in a terminal'))],
    examples: [
      ['$0 logs', 'the last 20 lines'],
      ['$0 logs -f --slot 2 --level warn', 'what comes from a slot, until Ctrl-C'],
      ['$0 logs api worker -f', 'of several supervisors; all for every one'],
      ['$0 logs --since 10m --grep "timed? out"', 'of the last ten minutes'],
      ['$0 logs shop --json | jq .msg', 'for programs'],
    ],
    note: 'Lines that the supervisor no longer remembers are read from its log file, if it has one.',
    load: () => import('../commands/logs.js'),
  },
  {
    name: 'describe',
    aliases: ['show'],
    understood: ['desc', 'info'],
    names: 'one',
    describe:
      'Show everything about an application or a worker: where each option comes from, what was restarted and why',
    operand: WORKER,
    flags: async () => [SHOW_SECRETS, ...(await supervisorFlags('Print it as JSON'))],
    examples: [
      ['$0 describe', 'the only supervisor that runs'],
      ['$0 describe shop', 'one of several'],
      ['$0 describe shop 3', 'its worker 3'],
    ],
    load: () => import('../commands/describe.js'),
  },
  {
    name: 'env',
    aliases: [],
    names: 'one',
    describe: 'Show the environment of a worker; values that may be secrets are masked',
    operand: WORKER,
    flags: async () => [SHOW_SECRETS, ...(await supervisorFlags('Print an object of names and values'))],
    examples: [
      ['$0 env', 'of the first worker'],
      ['$0 env shop 3 --show-secrets', 'of worker 3 of shop, with everything'],
    ],
    load: () => import('../commands/env.js'),
  },
  {
    name: 'profile',
    aliases: [],
    names: 'one',
    describe: "Profile a live worker, into a file that Chrome's tools open",
    operand: WORKER,
    flags: async () => [
      { flag: 'cpu', describe: 'CPU profile over this time: 10s', kind: 'value' },
      { flag: 'heap', describe: 'Heap snapshot; the worker stands still meanwhile', kind: 'switch' },
      { flag: 'sampling-heap', describe: 'Profile of memory allocations over this time: 30s', kind: 'value' },
      { flag: 'output', alias: 'o', describe: 'The file to write; must not exist', kind: 'value' },
      ...(await supervisorFlags(REQUEST_JSON)),
    ],
    examples: [
      ['$0 profile --cpu 10s', 'of the first worker, into this folder'],
      ['$0 profile shop 3 --heap -o leak.heapsnapshot', 'of worker 3 of shop'],
    ],
    note: 'The file is for its owner alone: a snapshot has every secret of the application in it.',
    load: () => import('../commands/profile.js'),
  },
  {
    name: 'inspect',
    aliases: [],
    names: 'one',
    describe: 'Open the inspector of a live worker on loopback until Ctrl-C',
    operand: WORKER,
    flags: () => supervisorFlags('Print worker and URL as JSON'),
    examples: [['$0 inspect shop 3', 'prints the URL by which a debugger attaches']],
    load: () => import('../commands/inspect.js'),
  },
  {
    name: 'dashboard',
    aliases: [],
    describe: 'Serve a page about all supervisors of the runtime folder, on loopback until Ctrl-C',
    flags: async () => [
      { flag: 'port', describe: 'The port on 127.0.0.1; 0 for any free port', kind: 'value', defaultText: '9645' },
      { flag: 'json', describe: 'Print the URL as JSON', kind: 'switch' },
    ],
    examples: [['$0 dashboard', 'prints the URL to open; supervisors that come later are on it, too']],
    note: 'The page is read-only. Every user of this machine can open it, as anything on loopback.',
    load: () => import('../commands/dashboard.js'),
  },
  {
    name: 'doctor',
    aliases: [],
    describe: 'Try what this machine supports, and say what that means',
    flags: async () => [{ flag: 'json', describe: 'Print the report as JSON', kind: 'switch' }],
    examples: [['$0 doctor', 'takes a moment; uses the loopback interface only, and leaves nothing behind']],
    note: 'Ends with 1 and the remedy when a promise cannot be kept on this machine.',
    load: () => import('../commands/doctor.js'),
  },
  {
    name: 'completion',
    aliases: [],
    describe: 'Print a script by which a shell completes commands, flags and names',
    operand: { name: 'shell', describe: 'bash, zsh or fish', required: true, choices: SHELLS },
    flags: async () => [],
    examples: [
      ['source <($0 completion bash)', 'in this shell'],
      ['$0 completion fish > ~/.config/fish/completions/holdfast.fish', 'in each shell'],
    ],
    load: () => import('../commands/completion.js'),
  },
  {
    name: 'check',
    aliases: [],
    describe: 'Check a configuration and show the result; start nothing',
    operand: { name: 'config', describe: 'The configuration file', required: true },
    flags: async () => [{ flag: 'json', describe: 'Print the configuration as JSON', kind: 'switch' }, ONLY, PM2_ENV],
    examples: [['$0 check holdfast.yaml', 'values of environment variables are not shown']],
    note: 'Ends with 2 and shows every fault when something is wrong.',
    load: () => import('../commands/check.js'),
  },
  {
    name: 'init',
    aliases: [],
    describe: "Write a configuration with comments, for the script in this folder or from PM2's file",
    operand: { name: 'source', describe: "The script, or PM2's file", required: false },
    flags: async () => [
      {
        flag: 'from-pm2',
        describe: "Translate PM2's file: the one in this folder, or the one that is named",
        kind: 'switch',
      },
      { flag: 'output', describe: 'The file to write', kind: 'value', defaultText: 'holdfast.yaml' },
      { flag: 'force', describe: 'Overwrite an existing file', kind: 'switch' },
      PM2_ENV,
    ],
    examples: [
      ['$0 init', 'holdfast.yaml for the script of this folder'],
      ['$0 init --from-pm2', 'for what ecosystem.config.js has, and what of it is different here'],
    ],
    note: 'Overwrites no file without --force.',
    load: () => import('../commands/init.js'),
  },
  {
    name: 'unit',
    aliases: [],
    describe: 'Print the systemd units that run an application on this machine',
    operand: { name: 'target', describe: 'The application, or a configuration file', required: false },
    applicationArgs: true,
    flags: async () => [...UNIT_FLAGS, ...(await startFlags())],
    examples: [
      ['$0 unit server.js -i max', 'runs what `holdfast start server.js -i max` does'],
      ['sudo $0 unit holdfast.yaml --install', 'writes the file, and has systemd start it now and at boot'],
      ['sudo $0 unit --name shop --uninstall', 'the other way'],
      ['$0 unit holdfast.yaml --socket 80', 'the port is opened by systemd'],
      ['$0 unit --template', 'holdfast@shop runs /etc/holdfast/shop.yaml'],
    ],
    note: 'Takes every option of start and writes it into the unit. Everybody can read values of --env there.',
    load: () => import('../commands/unit.js'),
  },
];

/** Every command's name, or alias, with its command. */
export function commandsByWord(): ReadonlyMap<string, CommandSpec> {
  return new Map(
    COMMANDS.flatMap((spec) =>
      [spec.name, ...spec.aliases, ...(spec.understood ?? [])].map((word) => [word, spec] as const),
    ),
  );
}
