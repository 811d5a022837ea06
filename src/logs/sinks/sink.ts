/**
 * Where log text goes: a file descriptor, written to without ever blocking the event loop.
 *
 * Pipes and sockets are written through the event loop, never through a thread: a thread that waits for a reader who
 * does not read cannot be interrupted, and a process joins its threads before it exits, so it would never end.
 * Files and terminals have no such readiness; those are written in a thread (pipe(7), uv_fs_write, uv_library_shutdown).
 */
import { close, constants, fstatSync, openSync, write } from 'node:fs';
import { Socket } from 'node:net';

/** `writtenBytes`: how much of the text was written before the error; 0 where there is none. */
export type WriteDone = (error: Error | null, writtenBytes: number) => void;

/** One write at a time: the next only after `done`, which is never called before `write` has returned. */
export interface Sink {
  write(text: string, done: WriteDone): void;
  /** Sends what it has held back for a while, where it does so. */
  flush?(): void;
  /** Releases the descriptor. No write may be under way. */
  close(): void;
}

/** Of a file or a stream: takes bytes, too. */
export interface DescriptorSink extends Sink {
  write(text: string | Buffer, done: WriteDone): void;
}

const retryMs = 20;

/** A sink on an open descriptor, which it owns from now on. */
export function sinkFor(fd: number): DescriptorSink {
  const stat = fstatSync(fd);
  return stat.isFIFO() || stat.isSocket() ? streamSink(fd) : fileSink(fd);
}

/**
 * Opens a file to append to; creates it with mode 0640, less what the umask takes.
 *
 * @throws the error of open(2); ENXIO for a named pipe that nobody reads, where a blocking open would wait for ever.
 */
export function openFileSink(path: string): DescriptorSink {
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;
  return sinkFor(openSync(path, flags, 0o640));
}

export function fileSink(fd: number): DescriptorSink {
  return {
    write(text, done) {
      const bytes = typeof text === 'string' ? Buffer.from(text) : text;
      let written = 0;
      const writeRest = () => {
        write(fd, bytes, written, bytes.length - written, null, (error, count) => {
          // A terminal that another process set to non-blocking: the flag belongs to all who share it.
          if (error?.code === 'EAGAIN') return void setTimeout(writeRest, retryMs);
          if (error) return done(error, written);
          written += count;
          if (written < bytes.length) return writeRest();
          done(null, 0);
        });
      };
      writeRest();
    },
    close() {
      close(fd, () => {});
    },
  };
}

function streamSink(fd: number): DescriptorSink {
  // Two handles of the event loop on one descriptor would take each other's events: standard output and error have one already.
  const own = fd === 1 ? process.stdout : fd === 2 ? process.stderr : null;
  const stream = own ?? new Socket({ fd, readable: false, writable: true });
  // The error comes to the write's own callback too; without a listener it would end the process.
  stream.on('error', () => {});
  return {
    write(text, done) {
      // A reader that went away does not come back: nothing is appended to what was torn.
      stream.write(text, (error) => done(error ?? null, 0));
    },
    close() {
      stream.destroy();
    },
  };
}
