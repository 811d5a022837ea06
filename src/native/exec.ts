/** execve(2) by way of libc, for versions of Node that have none, and for file descriptors that are to stay open. */
import { createRequire } from 'node:module';

export interface Exec {
  /** Returns only where it has failed. @param fds are open for the new program: Node had them closed */
  execve(file: string, argv: readonly string[], env: NodeJS.ProcessEnv, fds: readonly number[]): void;
}

const F_SETFD = 2;
const FD_CLOEXEC = 1;

/** @returns null without koffi */
export function loadExec(): Exec | null {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    const libc = koffi.load(null);
    const fcntl = libc.func('int fcntl(int fd, int command, ...)');
    const execve = libc.func('int execve(const char *file, const char **argv, const char **env)');
    return {
      execve(file, argv, env, fds) {
        const variables = Object.entries(env).flatMap(([name, value]) =>
          value === undefined ? [] : `${name}=${value}`,
        );
        for (const fd of fds) fcntl(fd, F_SETFD, 'int', 0);
        execve(file, [...argv, null], [...variables, null]);
        for (const fd of fds) if (fd > 2) fcntl(fd, F_SETFD, 'int', FD_CLOEXEC);
      },
    };
  } catch {
    return null;
  }
}
