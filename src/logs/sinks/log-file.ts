/** The log file: opened at the start or not at all, rotated where it is a regular file, and with a way out while it cannot be written. */
import { existsSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import type { Logger } from 'pino';
import type { Config } from '../../config/config.js';
import { HoldfastError } from '../../errors.js';
import { makeFolder } from '../../make-folder.js';
import { withFallback } from './fallback.js';
import { rotatingSink } from './rotating-sink.js';
import { openFileSink, type Sink, sinkFor } from './sink.js';

export interface LogFile {
  readonly sink: Sink;
  /**
   * Opens it anew under its name.
   *
   * @returns the sink that takes the place of the other, where one does
   * @throws the system's error
   */
  reopen(): Sink | null;
}

type Options = Partial<Pick<Config, 'logMaxBytes' | 'logMaxAgeMs' | 'logKeep' | 'logCompress'>>;

/**
 * @param logger asked for when there is something to tell
 * @throws HoldfastError LOG_FILE where it cannot be opened
 */
export function openLogFile(file: string, options: Options, logger: () => Logger): LogFile {
  const { logMaxBytes = 0, logMaxAgeMs = 0, logKeep = 0, logCompress = false } = options;
  const opened = open(file);
  const onTrouble = (err: unknown) => {
    const hint = 'its lines go to standard error meanwhile';
    if (err === null) logger().warn({ logFile: file }, 'log file can be written again');
    else logger().error({ err, logFile: file, hint }, 'cannot write log file');
  };
  const guarded = (main: Sink) => withFallback({ main, openSpare: () => sinkFor(2), onTrouble });
  const is = statSync(file);
  if ((logMaxBytes === 0 && logMaxAgeMs === 0) || !is.isFile()) {
    return { sink: guarded(opened), reopen: () => guarded(openFileSink(file)) };
  }
  opened.close();
  const rotating = rotatingSink({
    ...{ maxBytes: logMaxBytes, maxAgeMs: logMaxAgeMs, keep: logKeep, compress: logCompress },
    // Of a symbolic link it is the file that is put aside, not the link: what follows lies where the owner wants it.
    file: realpathSync(file),
    mode: is.mode & 0o777,
    onTrouble: (err) => logger().warn({ err, logFile: file }, 'cannot rotate log file'),
  });
  return {
    sink: guarded(rotating),
    reopen() {
      rotating.reopen();
      return null;
    },
  };
}

function open(file: string): Sink {
  try {
    if (!existsSync(path.dirname(file))) makeFolder(path.dirname(file), 0o750);
    return openFileSink(file);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new HoldfastError('LOG_FILE', `cannot open log file ${file}: ${code}`, {
      hint:
        code === 'ENXIO'
          ? 'it is a named pipe that nobody reads'
          : 'check that it can be made there, and may be written to',
      cause,
    });
  }
}
