/**
 * Words of PM2 that holdfast says differently: what does the same is taken over, for what does not the error says what stands
 * for it. Pure. What both call the same is not in here.
 */
import { EXIT, HoldfastError } from '../../errors.js';

/** A word that cannot be done as it is. */
interface Instead {
  readonly why: string;
  readonly instead: string;
}

type Meaning =
  | Instead
  /** The option of holdfast, and its value there. */
  | { readonly flag: string; readonly value: (text: string) => string }
  /** It needs no value. */
  | { readonly words: readonly string[] };

/** PM2 counts in milliseconds, and takes a bare number. */
const milliseconds = (text: string) => (/^\d+$/.test(text) ? `${text}ms` : text);
const asItIs = (text: string) => text;
/** A bare number is of bytes. */
const size = (text: string) => (/^\d+$/.test(text) ? `${Math.ceil(Number(text) / 1024 ** 2)}M` : text);

const ONE_LOG = { why: 'there is one log for both outputs', instead: '--log-file FILE' };

const ANYWAY = { words: [] };
const OTHER_USER = {
  why: 'workers run as the user that runs holdfast',
  instead: 'start holdfast itself as that user, or: holdfast unit --user NAME',
};

/** Options of `start`, but for the last two. */
const FLAGS: ReadonlyMap<string, Meaning> = new Map<string, Meaning>([
  ['--max-memory-restart', { flag: 'max-memory', value: size }],
  ['--wait-ready', { words: ['--ready=message'] }],
  ['--listen-timeout', { flag: 'ready-timeout', value: milliseconds }],
  ['--kill-timeout', { flag: 'kill-timeout', value: milliseconds }],
  ['--min-uptime', { flag: 'min-uptime', value: milliseconds }],
  ['--exp-backoff-restart-delay', { flag: 'backoff-base', value: milliseconds }],
  ['--restart-delay', { flag: 'backoff-base', value: milliseconds }],
  ['--cron-restart', { flag: 'reload-cron', value: asItIs }],
  ['--no-treekill', { words: ['--keep-children'] }],
  ['--log', { flag: 'log-file', value: asItIs }],
  ...['--output', '-o', '--error', '-e'].map((word) => [word, ONE_LOG] as const),
  ...['--uid', '--gid', '-u', '--user'].map((word) => [word, OTHER_USER] as const),
  ...'--no-daemon --attach --time --merge-logs --no-vizion --no-pmx --shutdown-with-message'
    .split(' ')
    .map((word) => [word, ANYWAY] as const),
  ['--source-map-support', { words: ['--node-args=--enable-source-maps'] }],
  [
    '--ignore-watch',
    {
      why: 'node_modules and what begins with a dot are never watched, all else in the working folder is',
      instead: 'leave it out',
    },
  ],
  // As `autorestart: false` in PM2's file.
  ['--no-autorestart', { words: [`--stop-exit-codes=${Array.from({ length: 256 }, (_, code) => code).join(' ')}`] }],
  [
    '--update-env',
    {
      why: 'workers have the environment of the supervisor, not that of who asks for a reload',
      instead: 'a reload reads the configuration anew: put what changes into its env or envFile',
    },
  ],
  ['--nostream', ANYWAY],
]);

/** @param own options that the command has under these very words */
export function flagsFromPm2(words: readonly string[], own: ReadonlySet<string>): string[] {
  const read: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? '';
    const [, option = '', given] = /^(--[a-z-]+|-[a-z])(?:=(.*))?$/s.exec(word) ?? [];
    const meaning = FLAGS.get(option);
    const isOwn = own.has(option);
    if (meaning === undefined || (isOwn && !('flag' in meaning && option === `--${meaning.flag}`))) {
      read.push(word);
    } else if ('why' in meaning) {
      throw instead(`use ${option}`, meaning);
    } else if ('words' in meaning) {
      read.push(...meaning.words);
    } else {
      const value = given ?? words[++i];
      // Without a value it is the parser's to refuse.
      read.push(value === undefined ? `--${meaning.flag}` : `--${meaning.flag}=${meaning.value(value)}`);
    }
  }
  return words.includes('--no-autorestart') ? [...read, ...readyAtOnce(read)] : read;
}

/** PM2 takes a process outside of a cluster for started at once; what ends by itself may end soon. */
function readyAtOnce(words: readonly string[]): string[] {
  const isSaid = words.some((word) => /^(?:--(?:ready|min-uptime|instances)|-i)(?:=|\d|$)/.test(word));
  return isSaid ? [] : ['--ready=running', '--min-uptime=1ms'];
}

const COMMANDS: ReadonlyMap<string, Instead> = new Map<string, Instead>([
  [
    'startup',
    {
      why: 'there is no daemon that would have to be started at boot; each application has a systemd unit of its own',
      instead: 'sudo holdfast unit <script or config file> --install',
    },
  ],
  [
    'unstartup',
    { why: 'each application has a systemd unit of its own', instead: 'sudo holdfast unit --name NAME --uninstall' },
  ],
  [
    'save',
    {
      why: 'there is no list of processes to save: what is to be there after a boot has a systemd unit',
      instead: 'sudo holdfast unit <script or config file> --install',
    },
  ],
  [
    'resurrect',
    {
      why: 'there is no saved list of processes: systemd starts the units that are installed',
      instead: 'sudo holdfast unit <script or config file> --install',
    },
  ],
  ['kill', { why: 'there is no daemon beside the supervisors', instead: 'to stop all of them: holdfast stop all' }],
  ['update', { why: 'there is no daemon in memory', instead: 'stop and start the supervisor: holdfast stop NAME' }],
  [
    'flush',
    {
      why: 'a log file belongs to its owner',
      instead: 'to empty it: truncate --size 0 FILE; it is written on at its end',
    },
  ],
  [
    'reloadLogs',
    { why: 'log files are opened anew on a signal', instead: 'kill -USR1 PID, which holdfast status shows' },
  ],
  ['jlist', { why: 'it has another name', instead: 'holdfast ls --json' }],
  ['prettylist', { why: 'it has another name', instead: 'holdfast ls --json' }],
  ['ecosystem', { why: 'it has another name', instead: 'holdfast init' }],
  ['pid', { why: 'it has another name', instead: 'holdfast status NAME' }],
  ['id', { why: 'workers have numbers of their own, which change', instead: 'holdfast status NAME' }],
  ['ping', { why: 'there is no daemon that could answer', instead: 'holdfast ls' }],
  ['reset', { why: 'restarts are counted for as long as the supervisor runs', instead: 'holdfast describe NAME' }],
  [
    'sendSignal',
    { why: 'signals are sent by the system', instead: 'kill -SIGNAL PID, which holdfast status NAME shows' },
  ],
  [
    'deploy',
    {
      why: 'it brings no release to a machine',
      instead: 'bring it with what you deploy with, then: holdfast reload NAME',
    },
  ],
  [
    'install',
    {
      why: 'there are no modules',
      instead: 'a log file is rotated by itself: holdfast start --log-file FILE --log-max-size 50M',
    },
  ],
  ...['startOrReload', 'startOrRestart', 'startOrGracefulReload'].map(
    (word) =>
      [
        word,
        {
          why: 'start and reload are two commands',
          instead: 'holdfast reload NAME; where that ends with 3: holdfast start <script or config file> --detach',
        },
      ] as const,
  ),
  ['gracefulReload', { why: 'every reload lets connections finish', instead: 'holdfast reload NAME' }],
]);

/** null for a word that is not PM2's either. */
export function commandOfPm2(word: string): HoldfastError | null {
  const meaning = COMMANDS.get(word) ?? (word === 'dump' ? COMMANDS.get('save') : undefined);
  return meaning === undefined ? null : instead(`run ${word}`, meaning);
}

/** PM2 takes its file where holdfast takes the names of its applications. @returns null where none is given */
export function fileForName(command: string, words: readonly string[]): HoldfastError | null {
  const file = words.find((word) => /\.(?:json|ya?ml|config\.[mc]?js)$/i.test(word));
  if (file === undefined) return null;
  const why = 'a running application is asked by its name';
  const anew = command === 'reload' ? ' each reads its file anew, with what it was started with;' : '';
  return instead(`${command} ${file}`, { why, instead: `holdfast ${command} NAME;${anew} holdfast ls has the names` });
}

function instead(what: string, meaning: Instead): HoldfastError {
  return new HoldfastError('USAGE', `cannot ${what}: ${meaning.why}`, { hint: meaning.instead, exitCode: EXIT.usage });
}
