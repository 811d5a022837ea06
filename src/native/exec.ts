/**
 * execve(2) by way of libc, for versions of Node that have none, for file descriptors that are to stay open, and because it
 * returns where it fails: Node's own ends the process. And what has to be as it is on both sides of it.
 */
import os from 'node:os';
import { getSystemErrorName } from 'node:util';
import { loadKoffi } from './koffi.js';

export interface ExitStatus {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Exec {
  /**
   * Returns only where it has failed, with the name of the error.
   *
   * @param fds are open for the new program: Node had them closed
   */
  execve(file: string, argv: readonly string[], env: NodeJS.ProcessEnv, fds: readonly number[]): string;
  /** These are for this program alone. */
  closeOnExec(fds: readonly number[]): void;
  /** The same file under another number, which is the caller's and for this program alone; null where it is not open. */
  duplicate(fd: number): number | null;
  close(fd: number): void;
  /** These do what they do to a program that does not listen, though Node believes that it does. */
  toDefault(signals: readonly NodeJS.Signals[]): void;
  /**
   * Takes the exit status of a child that the program before has started: waitpid(2) with WNOHANG. Never for one that Node has
   * started: it would not hear of its end.
   *
   * @returns null while it runs, and where it is none
   */
  collect(pid: number): ExitStatus | null;
}

const F_SETFD = 2;
const FD_CLOEXEC = 1;
/** Linux; elsewhere nothing is passed on. */
const F_DUPFD_CLOEXEC = 1030;
const WNOHANG = 1;

/** @returns null without koffi */
export function loadExec(): Exec | null {
  try {
    const koffi = loadKoffi();
    const libc = koffi.load(null);
    const fcntl = libc.func('int fcntl(int fd, int command, ...)');
    const execve = libc.func('int execve(const char *file, const char **argv, const char **env)');
    const close = libc.func('int close(int fd)');
    const waitpid = libc.func('int waitpid(int pid, void *status, int options)');
    const setFlags = (fds: readonly number[], flags: number) => {
      for (const fd of fds) fcntl(fd, F_SETFD, 'int', flags);
    };
    return {
      execve(file, argv, env, fds) {
        const variables = Object.entries(env).flatMap(([name, value]) =>
          value === undefined ? [] : `${name}=${value}`,
        );
        setFlags(fds, 0);
        execve(file, [...argv, null], [...variables, null]);
        const errno = koffi.errno();
        setFlags(
          fds.filter((fd) => fd > 2),
          FD_CLOEXEC,
        );
        return getSystemErrorName(-errno);
      },
      closeOnExec: (fds) => setFlags(fds, FD_CLOEXEC),
      duplicate(fd) {
        const other: number = fcntl(fd, F_DUPFD_CLOEXEC, 'int', 3);
        return other < 0 ? null : other;
      },
      close: (fd) => void close(fd),
      toDefault(signals) {
        const set = libc.func('void *signal(int signal, void *handler)');
        // SIG_DFL is 0.
        for (const signal of signals) set(os.constants.signals[signal], null);
      },
      collect(pid) {
        const status = new Int32Array(1);
        return pid > 0 && waitpid(pid, status, WNOHANG) === pid ? statusOf(status[0]!) : null;
      },
    };
  } catch {
    return null;
  }
}

/** As wait(2) has it on Linux. */
function statusOf(status: number): ExitStatus {
  const number = status & 0x7f;
  if (number === 0) return { code: (status >> 8) & 0xff, signal: null };
  const [name] = Object.entries(os.constants.signals).find(([, value]) => value === number) ?? [];
  return { code: null, signal: (name as NodeJS.Signals | undefined) ?? null };
}
