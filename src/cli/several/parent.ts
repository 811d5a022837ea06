/**
 * `holdfast start` of a file with several applications: this process stays as the parent of one supervisor for each. It passes signals on and
 * labels output; what it does about what happens is in `decide.ts`. Imports little: it stays for months.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { isatty } from 'node:tty';
import type { ExitCode } from '../../errors.js';
import { spawning } from '../../spawn.js';
import { takeServiceEnvironment } from '../../systemd/environment.js';
import type { Several } from '../prepare/prepared-config.js';
import { isTerminalGone } from '../process/controlling-terminal.js';
import { beginning, decide, type ParentEffect, type ParentEvent } from './decide.js';
import { Gathered } from './gathered.js';
import { Labels } from './labels.js';

/** Every one that means something to a supervisor. */
const SIGNALS: readonly NodeJS.Signals[] = [
  'SIGTERM',
  'SIGINT',
  'SIGQUIT',
  'SIGHUP',
  'SIGTTIN',
  'SIGTTOU',
  'SIGUSR1',
  'SIGUSR2',
];
/** For who has a service manager, which means one application by each service. */
const UNIT = 'the unit wants Type=exec; better is one for each application: holdfast unit FILE';
/** What a process that has ended leaves in its pipes is there at once; somebody else may hold them open. */
const PIPES_MS = 500;

type Part = Several['several'][number];

export interface SeveralOptions {
  /** The words behind `holdfast`, `start` first. */
  readonly argv: readonly string[];
  readonly takeOverSignals: () => readonly NodeJS.Signals[];
}

/** @returns when all have ended */
export function runSeveral(parts: readonly Part[], options: SeveralOptions): Promise<ExitCode> {
  const { argv, takeOverSignals } = options;
  // A service manager means this process; no supervisor may answer for it, or take its sockets.
  const { notifySocket, fdNames } = takeServiceEnvironment(process.env, process.pid);
  return new Promise((resolve) => {
    let state = beginning(parts.map(({ name }) => name));
    const children = new Map<string, ChildProcess>();
    const width = Math.max(...parts.map(({ name }) => name.length));
    const outputs = { stdout: new Gathered(1), stderr: new Gathered(2) };
    const apply = (effect: ParentEffect) => {
      switch (effect.do) {
        case 'signal':
          children.get(effect.name)?.kill(effect.signal);
          break;
        case 'tell':
          outputs.stderr.write(`holdfast: ${effect.text}\n`);
          break;
        case 'end':
          void Promise.all([outputs.stdout.flush(), outputs.stderr.flush()]).then(() => resolve(effect.exitCode));
      }
    };
    const happened = (event: ParentEvent) => {
      const decision = decide(state, event);
      state = decision.state;
      decision.effects.forEach(apply);
    };
    const handle = (signal: NodeJS.Signals) => {
      if (signal === 'SIGHUP' && isTerminalGone()) happened({ type: 'terminalClosed' });
      else happened({ type: 'signalled', signal });
    };
    const warn = (text: string) => outputs.stderr.write(`holdfast: warning: ${text}\n`);
    if (notifySocket !== null) warn(`systemd is not told when all are ready: ${UNIT}`);
    if (fdNames.length > 0) warn(`sockets that systemd has opened reach none of them: ${UNIT}`);
    if (process.pid === 1) {
      void import('../../supervisor/pid-one/several.js')
        .then(({ reapOrphansOfSeveral }) => reapOrphansOfSeveral(warn))
        .catch(({ message }: Error) => warn(`orphans are not reaped: ${message}`));
    }
    for (const signal of SIGNALS) process.on(signal, handle);
    const earlier = takeOverSignals();
    // Where this process ends by an error, nobody is left to end them.
    process.once('exit', () => {
      for (const child of children.values()) if (isAlive(child)) child.kill('SIGTERM');
    });
    for (const part of parts) {
      const { name } = part;
      try {
        const child = spawning(() => spawnSupervisor(part, argv));
        children.set(name, child);
        const ended = Promise.all([
          outputs.stdout.take(child.stdout, new Labels(name, width)),
          outputs.stderr.take(child.stderr, new Labels(name, width)),
        ]);
        const said = () => happened({ type: 'saidSomething', name });
        child.stdout?.once('data', said);
        child.stderr?.once('data', said);
        child.on('error', ({ message: reason }) => {
          if (child.pid === undefined) happened({ type: 'couldNotStart', name, reason });
        });
        child.once('exit', (code, signal) => {
          void soon(ended).then(() => happened({ type: 'ended', name, code, signal }));
        });
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        // Not before the others are there to be stopped.
        setImmediate(() => happened({ type: 'couldNotStart', name, reason }));
      }
    }
    earlier.forEach(handle);
  });
}

function spawnSupervisor({ name, logFormat, logFile }: Part, argv: readonly string[]): ChildProcess {
  const end = argv.indexOf('--');
  const own = end === -1 ? argv : argv.slice(0, end);
  const behind = end === -1 ? [] : argv.slice(end);
  // What it writes goes through a pipe, but to the same reader.
  const isPretty = logFormat === 'auto' && logFile === null && isatty(1);
  const words = [...own, `--only=${name}`, ...(isPretty ? ['--log-format=pretty'] : []), ...behind];
  const program = process.argv[1] ?? '';
  return spawn(process.execPath, [...process.execArgv, program, ...words], {
    // A Ctrl-C of the terminal is to reach this process alone, or they would get it twice.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function isAlive({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode === null && signalCode === null;
}

async function soon(ended: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, PIPES_MS);
  });
  await Promise.race([ended, late]);
  clearTimeout(timer);
}
