/**
 * Reads what a worker writes to its standard output and error, and logs it line by line.
 *
 * Made by the supervisor for each worker. Loses nothing to a log that lags behind: it stops reading, the pipe fills, and
 * the worker waits, as it would with any reader. A log line of pino stays one, with the worker's labels; all else is text. The
 * lines of a stack trace are one entry.
 */
import type { Readable } from 'node:stream';
import type { Logger } from 'pino';
import { Entries } from './lines/entries.js';
import { type Line, LineSplitter } from './lines/lines.js';
import { type Labels, readStructured, withLabels } from './lines/structured.js';
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
  const labels = { slot, worker, generation };
  const errors = entriesTo((line) => logLine(errorLogger, 'warn', line));
  const error = capture(stderr, log, (line) => {
    const shown = { ...line, text: conceal(line.text) };
    if (!logStructured(log, { ...labels, stream: 'stderr' }, shown, errors.flush)) errors.add(shown);
    // Addresses of a native stack tell nobody anything, and push the line above them out that does.
    if (!NATIVE_FRAME.test(line.text) && tail.push(head(line.text)) > tailLines) tail.shift();
    for (const listener of listeners) listener(line.text);
  });
  const outputLogger = logger.child({ stream: 'stdout' });
  const output = capture(stdout, log, (line) => {
    if (!logStructured(log, { ...labels, stream: 'stdout' }, line)) logLine(outputLogger, 'info', line);
  });

  return {
    tail: () => [...tail],
    onErrorLine(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    ended: Promise.all([output.ended, error.ended.then(errors.flush)]).then(() => {}),
    close() {
      output.close();
      error.close();
      errors.flush();
    },
  };
}

function logLine(logger: Logger, level: 'info' | 'warn', line: Line): void {
  // Without further arguments pino takes the text as it is, percent signs included.
  if (line.continued) logger[level]({ continued: true }, line.text);
  else logger[level](line.text);
}

/** @returns whether it was a log line of pino; what is held back is logged before it */
function logStructured(log: Log, labels: Omit<Labels, 'name'>, line: Line, flush: () => void = () => {}): boolean {
  const structured = line.continued ? null : readStructured(line.text);
  if (structured === null) return false;
  flush();
  log.write((name) => withLabels(structured, { name, ...labels }, new Date().toISOString()));
  return true;
}

/** Holds a line back for as long as more of its entry may follow. */
function entriesTo(onEntry: (line: Line) => void): { add(line: Line): void; flush(): void } {
  const entries = new Entries();
  let timer: NodeJS.Timeout | undefined;
  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    for (const entry of entries.flush()) onEntry(entry);
  }
  function look(): void {
    timer = undefined;
    const now = performance.now();
    const { dueAt } = entries;
    if (dueAt === null) return;
    if (dueAt <= now) flush();
    else timer = setTimeout(look, Math.ceil(dueAt - now));
  }
  return {
    add(line) {
      for (const entry of entries.add(line, performance.now())) onEntry(entry);
      // One timer for all that comes while it runs: a flood sets none for each line.
      if (timer === undefined) look();
    },
    flush,
  };
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
