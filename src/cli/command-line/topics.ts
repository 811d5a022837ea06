/** `holdfast help TOPIC`: what is not about one command alone, in a few lines. Loaded only when somebody asks. */
import { EXIT } from '../../errors.js';

/** Signals to the supervisor, and what each does. docs/reference/signals.md is made from it as well. */
export const SIGNALS: readonly (readonly [names: readonly string[], effect: string])[] = [
  [['HUP'], 'reload; if the terminal in which the supervisor runs was closed: drain and stop'],
  [['TERM', 'INT', 'QUIT'], 'drain and stop; a second one: stop at once'],
  [['TTIN'], 'one slot more'],
  [['TTOU'], 'one slot less'],
  [['USR1'], 'reopen the log file'],
  [['USR2'], 'upgrade: replace the supervisor itself'],
];

/** Exit codes of every command. docs/reference/commands.md is made from it as well. */
export const EXIT_CODES: readonly (readonly [code: number, meaning: string])[] = [
  [EXIT.done, 'done; of start: after a stop that was asked for'],
  [EXIT.failed, 'failed, or rolled back; of start: the application does not start'],
  [EXIT.usage, 'wrong use, or a bad configuration'],
  [EXIT.noSupervisor, 'no such supervisor'],
];

const signalLines = SIGNALS.map(([names, effect]) => `  ${names.join(', ').padEnd(15)} ${effect}`).join('\n');
const exitCodeLines = EXIT_CODES.map(([code, meaning]) => `  ${code}  ${meaning}`).join('\n');

export const TOPICS: ReadonlyMap<string, string> = new Map([
  [
    'signals',
    `Signals to the supervisor:
${signalLines}

A worker is asked to end with SIGTERM when its connections are done, and killed after --kill-timeout.`,
  ],
  [
    'exit-codes',
    `Exit codes of every command:
${exitCodeLines}

Of several supervisors (reload all) it is 1 where one of them has failed.`,
  ],
  [
    'configuration',
    `Options come from, the later wins:
  1. their defaults
  2. a file: holdfast start holdfast.yaml (also .json, holdfast.config.mjs)
  3. the environment: readyTimeout is HOLDFAST_READY_TIMEOUT
  4. the command line: --ready-timeout 20s

Durations are 500ms, 30s, 5m, 1h; sizes are 300M, 1G.
  holdfast check holdfast.yaml    what it comes to, or every fault
  holdfast describe               of a running one: each option, and where it came from
  holdfast start --help           all options`,
  ],
  [
    'reload',
    `What a reload does:
  1. reads configuration, envFile and symbolic links anew
  2. starts one worker of the new release, on trial without clients (--trial 2s)
  3. replaces the others one by one: the new one listens and is ready before the old one drains
  4. hands open HTTP/1.1 connections over; others are asked to leave in the way of their protocol

A release that does not get ready or crashes on trial is rolled back; the old one has served all the time.
  holdfast reload --dry-run              what would change
  holdfast reload --canary 5% --for 10m  one new worker first, compared with the others
  holdfast reload --abort                roll back what is under way`,
  ],
  [
    'ready',
    `When a worker is ready (--ready):
  listening  it listens, on every address of its predecessor
  message    it called process.send('ready')
  running    it is up for --min-uptime: for queue workers, bots and cron

Besides, --health /healthz asks that path inside the worker; --ready-timeout says how long all of it may take.`,
  ],
]);

/** Other words for them. */
const SAME: Readonly<Record<string, string>> = {
  signal: 'signals',
  exit: 'exit-codes',
  'exit-code': 'exit-codes',
  exitcodes: 'exit-codes',
  config: 'configuration',
};

/** @param words behind `help`: `exit codes` is one topic */
export function topicOf(words: readonly string[]): string | null {
  const word = words.join('-');
  const name = SAME[word] ?? word;
  return TOPICS.has(name) ? name : null;
}
