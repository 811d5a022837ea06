/** Watches the application's folder and says when something in it has changed: for `holdfast start --watch`. */
import path from 'node:path';
import type { Log } from '../logs/logger.js';

export interface WatchOptions {
  readonly dir: string;
  /** Files besides: what the supervisor itself writes. */
  readonly ignored?: readonly string[];
  /** Called with the paths that have changed, relative to `dir`. */
  readonly onChange: (paths: readonly string[]) => void;
  readonly log: Log;
  /** Changes that come within this time belong together. */
  readonly debounceMs?: number;
}

const DEBOUNCE_MS = 200;
/** A stream of changes puts a reload off for no longer than this. */
const LONGEST_MS = 2_000;

/** Resolves once it watches. What the system refuses to watch is logged, and ends nothing. */
export async function watchFiles(options: WatchOptions): Promise<{ close(): Promise<void> }> {
  const { dir, ignored = [], onChange, log, debounceMs = DEBOUNCE_MS } = options;
  const { watch } = await import('chokidar');
  const changed = new Set<string>();
  let since = 0;
  let timer: NodeJS.Timeout | undefined;
  const tell = () => {
    timer = undefined;
    const paths = [...changed].sort();
    changed.clear();
    onChange(paths);
  };
  const watcher = watch(dir, {
    ignoreInitial: true,
    ignored: (file) => isIgnored(path.relative(dir, file)) || ignored.includes(file),
  });
  watcher.on('all', (_event, file) => {
    const now = performance.now();
    if (changed.size === 0) since = now;
    changed.add(path.relative(dir, file));
    clearTimeout(timer);
    timer = setTimeout(tell, Math.max(0, Math.min(debounceMs, since + LONGEST_MS - now)));
  });
  watcher.on('error', (error) => {
    const { code, message } = error as NodeJS.ErrnoException;
    const hint =
      code === 'ENOSPC' || code === 'EMFILE' ? 'raise fs.inotify.max_user_watches and max_user_instances' : undefined;
    log.logger.warn({ reason: message, ...(hint !== undefined && { hint }) }, 'not everything can be watched');
  });
  await new Promise<void>((resolve) => watcher.once('ready', () => resolve()));
  return {
    close: () => {
      clearTimeout(timer);
      return watcher.close();
    },
  };
}

/** What installs and versions, and what begins with a dot, is not the application's code. */
function isIgnored(relative: string): boolean {
  return relative
    .split(path.sep)
    .some(
      (part) =>
        part === 'node_modules' || (part.startsWith('.') && part !== '.' && part !== '..') || part.endsWith('.log'),
    );
}
