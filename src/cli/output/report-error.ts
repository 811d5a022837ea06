/** Errors, as people read them. */
import { EXIT, type ExitCode, HoldfastError } from '../../errors.js';

export interface ErrorReport {
  readonly text: string;
  readonly exitCode: ExitCode;
}

/** What to do about what the system does not give: its codes are the same for whatever was tried. */
const REMEDIES: Readonly<Record<string, string>> = {
  EMFILE: 'it may open no more files: raise its limit (ulimit -n, LimitNOFILE= of a unit)',
  ENFILE: 'the system has no file left to open: raise fs.file-max, or find who holds them',
  EROFS: 'the file system is read-only: remount it, or choose another folder',
  ENOSPC: 'the disk is full, or has no inodes left (df, df -i); for a watch, fs.inotify.max_user_watches',
  EDQUOT: 'the disk quota is used up',
  EACCES: 'the user that runs this may not: check owner and mode',
  EPERM: 'the user that runs this may not: check owner, mode and capabilities',
  EAGAIN: 'the system has no process left to give: raise its limit (ulimit -u, TasksMax= of a unit)',
  ENOMEM: 'the system has no memory left',
  EIO: 'the disk or the file system is broken',
};

/**
 * What to print for an error: its message and the next step; a stack only for what nobody expected.
 */
export function describeError(error: unknown): ErrorReport {
  if (error instanceof HoldfastError) {
    return { text: errorText(error.message, error.hint), exitCode: error.exitCode };
  }
  const system = describeSystemError(error);
  if (system !== null) return { text: system, exitCode: EXIT.failed };
  const message = error instanceof Error ? error.message : String(error);
  const stack = error instanceof Error && error.stack !== undefined ? `${indent(error.stack)}\n` : '';
  return {
    text: `holdfast: ${message}\n  this is a bug in holdfast: please report it\n${stack}`,
    exitCode: EXIT.failed,
  };
}

/** Of the system itself, and of nothing else: null. */
function describeSystemError(error: unknown): string | null {
  const { code, syscall, path } = (error ?? {}) as NodeJS.ErrnoException;
  const remedy = code === undefined ? undefined : REMEDIES[code];
  if (remedy === undefined || typeof syscall !== 'string') return null;
  // `spawn /usr/bin/node` names its object itself.
  const what = path === undefined || syscall.includes(path) ? syscall : `${syscall} ${path}`;
  return errorText(`cannot ${what}: ${code}`, remedy);
}

/** One error with its hint, ready to be written. */
export function errorText(message: string, hint?: string): string {
  return `holdfast: ${message}\n${hint === undefined ? '' : `${indent(hint)}\n`}`;
}

function indent(text: string): string {
  return text.replace(/^/gm, '  ');
}
