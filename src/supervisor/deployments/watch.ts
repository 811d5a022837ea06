/**
 * Watches the application's folder and says when something in it has changed: for `holdfast start --watch`.
 *
 * Owns the watcher and the time over which changes are put together. Made by the triggers of a supervisor, which it never
 * ends: what cannot be watched is logged. chokidar is loaded when there is something to watch.
 */
import { realpath } from 'node:fs/promises';
import path from 'node:path';
import type { Log } from '../../logs/logger.js';

export interface WatchOptions {
  readonly dir: string;
  /** Files and folders besides, absolute: what the supervisor itself writes. */
  readonly ignored?: readonly string[];
  /** Called with the paths that have changed, relative to `dir`, sorted; "" is `dir` itself. Must not throw. */
  readonly onChange: (paths: readonly string[]) => void;
  readonly log: Log;
  /** Changes that come within this time of each other belong together; 200 ms if not given. */
  readonly debounceMs?: number;
}

const DEBOUNCE_MS = 200;
/** A stream of changes puts `onChange` off for no longer than this. */
const LONGEST_MS = 2_000;

/** What the limits are called under which a system refuses to watch; see inotify(7). */
const HINTS: Readonly<Record<string, string>> = {
  ENOSPC: 'raise the sysctl fs.inotify.max_user_watches, or keep what is not code out of the folder',
  EMFILE: 'raise the sysctl fs.inotify.max_user_instances, or the limit of open files',
};

/**
 * Resolves once it watches, with how to stop. Never rejects for what the system refuses to watch.
 *
 * `node_modules`, `*.log` and what begins with a dot do not count. A symbolic link counts as itself: where it leads to is
 * not watched, which may be a folder that it is in.
 */
export async function watchFiles(options: WatchOptions): Promise<{ close(): Promise<void> }> {
  const { onChange, log, debounceMs = DEBOUNCE_MS } = options;
  const { watch } = await import('chokidar');
  const dir = await resolved(options.dir);
  const ignored = new Set(await Promise.all((options.ignored ?? []).map(resolved)));
  const changed = new Set<string>();
  let since = 0;
  let timer: NodeJS.Timeout | undefined;
  const tell = () => {
    const paths = [...changed].sort();
    changed.clear();
    onChange(paths);
  };

  const watcher = watch(dir, {
    ignoreInitial: true,
    followSymlinks: false,
    ignored: (file) => isWritten(file, ignored) || isIgnored(path.relative(dir, file)),
  });
  const complaints = new Set<string>();
  watcher.on('error', (error) => {
    const { code = '', message } = error as NodeJS.ErrnoException;
    // A limit once reached is met by every file that is left.
    if (complaints.has(code)) return;
    complaints.add(code);
    const hint = HINTS[code];
    log.logger.warn({ reason: message, ...(hint !== undefined && { hint }) }, 'not everything can be watched');
  });
  await new Promise<void>((resolve) => watcher.once('ready', () => resolve()));
  // Not before: symbolic links are told as new by the first scan, whatever `ignoreInitial` says.
  watcher.on('all', (_event, file) => {
    const now = performance.now();
    if (changed.size === 0) since = now;
    changed.add(path.relative(dir, file));
    clearTimeout(timer);
    timer = setTimeout(tell, Math.max(0, Math.min(debounceMs, since + LONGEST_MS - now)));
  });
  return {
    async close() {
      await watcher.close();
      clearTimeout(timer);
    },
  };
}

/** The path that a watcher sees, without symbolic links on the way; the last part need not exist. */
async function resolved(file: string): Promise<string> {
  try {
    return await realpath(file);
  } catch {
    const parent = path.dirname(file);
    return parent === file ? file : path.join(await resolved(parent), path.basename(file));
  }
}

/** What the supervisor writes, with what it puts aside of it: `shop.log.2026-…`. */
function isWritten(file: string, written: ReadonlySet<string>): boolean {
  return [...written].some((own) => file === own || file.startsWith(`${own}.`));
}

/** What installs and versions, and what begins with a dot, is not the application's code. */
function isIgnored(relative: string): boolean {
  return relative
    .split(path.sep)
    .some((part) => part === 'node_modules' || part.startsWith('.') || part.endsWith('.log'));
}
