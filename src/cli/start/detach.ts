/**
 * `holdfast start --detach`: the supervisor goes on in a session of its own, without a terminal, and this process ends as soon
 * as its workers are ready, or with what kept them from it. For those without systemd and without a container.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { ownUid } from '../../control/runtime-dir.js';
import { EXIT, type ExitCode, HoldfastError } from '../../errors.js';
import { makeFolder } from '../../make-folder.js';
import { ownFile } from '../../platform/own-package.js';
import { spawning } from '../../spawn.js';
import { type PreparedFrom, prepareQuietly } from '../prepare/prepared-config.js';
import type { Context } from '../process/context.js';
import { beforeEarlyEnd } from '../process/early-signals.js';
import { plainEnvironment } from '../process/node-options.js';
import { ownWords, READY_FD, TAKEN_BACK, VARIABLE } from './detached.js';

/**
 * `$XDG_STATE_HOME/holdfast`, else `/var/log/holdfast` for root, else `~/.local/state/holdfast`. A relative variable counts as
 * not set, as the XDG Base Directory Specification demands.
 */
export function stateFolder(env: NodeJS.ProcessEnv, uid: number, home: string): string {
  const { XDG_STATE_HOME: xdg } = env;
  if (xdg && path.isAbsolute(xdg)) return path.join(xdg, 'holdfast');
  return uid === 0 ? '/var/log/holdfast' : path.join(home, '.local/state/holdfast');
}

/** The words for the supervisor itself. */
export function detachedWords(argv: readonly string[], logFile: string | null, only: string | null): string[] {
  const own = ownWords(argv).filter((word) => !/^--(?:no-)?detach(?:=|$)/.test(word));
  const more = [...(logFile === null ? [] : [`--log-file=${logFile}`]), ...(only === null ? [] : [`--only=${only}`])];
  return [...own, ...more, ...argv.slice(ownWords(argv).length)];
}

/** Several applications of one file have a supervisor each, and no parent: each is asked by its own name. */
interface Part {
  readonly name: string;
  readonly logFile: string;
  readonly words: readonly string[];
}

/**
 * @returns 0 once all are ready, 1 where one has taken workers over and could not roll its configuration out; else the exit code that the first of them has ended with, its error on stderr
 * @throws HoldfastError
 */
export async function detach(from: PreparedFrom, context: Context): Promise<ExitCode> {
  const { env, stderr } = context;
  if (env.LISTEN_FDS !== undefined && env.LISTEN_PID === String(process.pid)) {
    throw new HoldfastError('USAGE', 'cannot detach: a service manager has passed sockets to this very process', {
      hint: 'leave --detach out: what a service manager starts stays in the foreground',
      exitCode: EXIT.usage,
    });
  }
  // Here already, so that what is wrong is told as ever; what else there is to say, the supervisor says.
  const { exitCode, loaded } = await prepareQuietly(from, context);
  if (loaded === null) return exitCode;
  const isSeveral = 'several' in loaded;
  const folder = stateFolder(env, ownUid(), os.homedir());
  const wanted = isSeveral ? loaded.several : [loaded.config];
  if (wanted.some(({ logFile }) => logFile === null)) makeStateFolder(folder);
  const parts = wanted.map(({ name, logFile: chosen }): Part => {
    const logFile = chosen ?? path.join(folder, `${name}.log`);
    const words = detachedWords(from.argv, chosen === null ? logFile : null, isSeveral ? name : null);
    return { name, logFile, words };
  });
  const children = new Map<string, ChildProcess>();
  // They are in sessions of their own, where Ctrl-C does not reach them.
  beforeEarlyEnd(() => {
    for (const child of children.values()) child.kill('SIGTERM');
    if (children.size > 0) stderr.write(`holdfast: stopping ${[...children.keys()].join(', ')}\n`);
  });
  const codes = await Promise.all(
    parts.map(async ({ name, logFile, words }) => {
      const child = launch(words, logFile, context);
      children.set(name, child);
      let said = '';
      // Of several, what one says stays together.
      const tell = (text: string) => {
        if (isSeveral) said += text;
        else stderr.write(text);
      };
      const outcome = await outcomeOf(child, tell);
      if (typeof outcome !== 'string') {
        stderr.write(said);
        return outcome ?? EXIT.failed;
      }
      stderr.write(`${said}${outcome.replace(TAKEN_BACK, '')}  log       ${logFile}\n`);
      return outcome.endsWith(TAKEN_BACK) ? EXIT.failed : EXIT.done;
    }),
  );
  const failed = codes.find((code) => code !== EXIT.done) ?? EXIT.done;
  const running = parts.filter((_part, at) => codes[at] === EXIT.done).map(({ name }) => name);
  if (failed !== EXIT.done && running.length > 0) {
    const goOn = `${running.join(', ')} ${running.length === 1 ? 'goes' : 'go'} on`;
    stderr.write(`holdfast: not all have started; ${goOn}, to stop: holdfast stop ${running.join(' ')}\n`);
  }
  return failed;
}

function launch(
  words: readonly string[],
  logFile: string,
  { env, cwd }: { readonly env: NodeJS.ProcessEnv; readonly cwd: string },
): ChildProcess {
  const program = ownFile('bin/holdfast.js');
  return spawning(() =>
    spawn(process.execPath, [program, ...words], {
      // With what is preloaded for the applications it would begin itself anew, and lose its pipe.
      env: { ...(plainEnvironment(env) ?? env), [VARIABLE]: logFile },
      cwd,
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    }),
  );
}

/** @returns what it says when it is ready, or its exit code; null where a signal ended it or it could not be started */
function outcomeOf(child: ChildProcess, tell: (text: string) => void): Promise<string | ExitCode | null> {
  return new Promise((resolve) => {
    let ready = '';
    child.stderr?.setEncoding('utf8').on('data', tell);
    const told = child.stdio[READY_FD] as Readable | null;
    told?.setEncoding('utf8').on('data', (text: string) => {
      ready += text;
    });
    told?.once('end', () => {
      if (ready === '') return;
      // It lives on without this process.
      child.stderr?.destroy();
      child.unref();
      resolve(ready);
    });
    child.once('error', ({ message }) => {
      tell(`holdfast: cannot start a process of its own: ${message}\n`);
      resolve(null);
    });
    child.once('close', (code, signal) => {
      if (ready === '' && code === null) tell(`holdfast: cannot start: the supervisor was ended by ${signal}\n`);
      if (ready === '') resolve(code as ExitCode | null);
    });
  });
}

function makeStateFolder(folder: string): void {
  try {
    makeFolder(folder, 0o700);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new HoldfastError('LOG_FOLDER', `cannot create the folder of the log ${folder}: ${code}`, {
      hint: 'give a file with --log-file, or set XDG_STATE_HOME to a folder of your own',
      cause,
    });
  }
}
