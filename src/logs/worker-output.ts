/**
 * Reads what a worker writes to its standard output and error, and logs it line by line.
 *
 * Made by the supervisor for each worker. Loses nothing to a log that lags behind: it stops reading, the pipe fills, and
 * the worker waits, as it would with any reader. A line stays text even where it is JSON: its fields are the
 * application's own and must not pass for the supervisor's.
 */
import type { Readable } from 'node:stream';
import type { Logger } from 'pino';
import { type Line, LineSplitter } from './lines.js';
import type { Log } from './logger.js';

export interface WorkerOutput {
  /** The last lines of standard error, oldest first: at most 32, each cut to 1 KiB. For error reports. */
  tail(): readonly string[];
  /** Has `listener` called with each line of standard error from now on, until the returned function is called. */
  onErrorLine(listener: (line: string) => void): () => void;
  /** Settles when both streams are closed and their last line is logged, or after `close()`. Never rejects. */
  readonly ended: Promise<void>;
  /**
   * Stops reading and releases the descriptors. What was read already is logged, at the risk of being dropped there.
   * For a worker that is gone: a grandchild may hold its pipes open for as long as it likes.
   */
  close(): void;
}

export interface WorkerStreams {
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly slot: number;
  readonly worker: number;
  readonly generation: number;
  readonly log: Log;
  /** What the log gets to see of a line of standard error. */
  readonly conceal?: (text: string) => string;
}

/** ` 1: 0xb78db3 node::OOMErrorHandler(…)`, after V8 has aborted. */
const NATIVE_FRAME = /^ {0,2}\d+: 0x[0-9a-f]+ /;
// Those of an uncaught error that came as an event take 24.
const tailLines = 32;
const tailLineBytes = 1024;

export function captureOutput(streams: WorkerStreams): WorkerOutput {
  const { stdout, stderr, slot, worker, generation, log, conceal = (text) => text } = streams;
  // logLevel is about holdfast's own lines: it has no say in what an application prints.
  const logger = log.logger.child({ slot, worker, generation }, { level: 'trace' });
  const tail: string[] = [];
  const listeners = new Set<(line: string) => void>();

  // Node prints warnings, console.warn, console.error and uncaught errors there, so it deserves to stand out. `error` would
  // be too loud: many programs log everything to standard error, and alerts count errors.
  const errorLogger = logger.child({ stream: 'stderr' });
  const error = capture(stderr, log, (line) => {
    logLine(errorLogger, 'warn', { ...line, text: conceal(line.text) });
    // Addresses of a native stack tell nobody anything, and push the line above them out that does.
    if (!NATIVE_FRAME.test(line.text) && tail.push(head(line.text)) > tailLines) tail.shift();
    for (const listener of listeners) listener(line.text);
  });
  const outputLogger = logger.child({ stream: 'stdout' });
  const output = capture(stdout, log, (line) => logLine(outputLogger, 'info', line));

  return {
    tail: () => [...tail],
    onErrorLine(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    ended: Promise.all([output.ended, error.ended]).then(() => {}),
    close() {
      output.close();
      error.close();
    },
  };
}

function logLine(logger: Logger, level: 'info' | 'warn', line: Line): void {
  // Without further arguments pino takes the text as it is, percent signs included.
  if (line.continued) logger[level]({ continued: true }, line.text);
  else logger[level](line.text);
}

/** The beginning of a line that fits into the tail, not cut inside a character. */
function head(text: string): string {
  if (Buffer.byteLength(text) <= tailLineBytes) return text;
  const splitter = new LineSplitter(tailLineBytes);
  splitter.push(Buffer.from(text));
  splitter.end();
  return splitter.next()?.text ?? '';
}

function capture(stream: Readable, log: Log, onLine: (line: Line) => void): { ended: Promise<void>; close(): void } {
  const splitter = new LineSplitter();
  let settle = () => {};
  const ended = new Promise<void>((resolve) => {
    settle = resolve;
  });
  let closed = false;
  let finished = false;
  let waiting = false;

  /** Logs what was read for as long as the log takes it; reads on only after that. */
  function drain(): void {
    if (finished) return;
    // When a process exits, Node resumes the streams of its output, even one that was paused on purpose.
    if (waiting) return void stream.pause();
    // Asked before each line: one chunk holds thousands of them.
    while (log.writable()) {
      const line = splitter.next();
      if (line !== undefined) {
        onLine(line);
        continue;
      }
      if (closed) finish();
      else stream.resume();
      return;
    }
    stream.pause();
    waiting = true;
    log.onceWritable(() => {
      waiting = false;
      drain();
    });
  }

  function finish(): void {
    finished = true;
    settle();
  }

  stream.on('data', (chunk: Buffer) => {
    splitter.push(chunk);
    drain();
  });
  // Always followed by 'close'. What came before a broken pipe was read all the same.
  stream.on('error', () => {});
  stream.once('close', () => {
    closed = true;
    splitter.end();
    drain();
  });

  return {
    ended,
    close() {
      if (finished) return;
      // What the stream itself holds back comes as one more 'data'.
      stream.pause();
      stream.read();
      splitter.end();
      for (let line = splitter.next(); line !== undefined; line = splitter.next()) onLine(line);
      finish();
      stream.destroy();
    },
  };
}
