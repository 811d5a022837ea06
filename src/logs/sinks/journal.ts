/**
 * Lines of the log as entries of systemd's journal, in its native protocol: with priority and fields, the lines of one
 * stack trace in one entry. See systemd.journal-fields(7) and https://systemd.io/JOURNAL_NATIVE_PROTOCOL.
 */
import { fstatSync } from 'node:fs';
import { GOES_ON } from '../lines/entries.js';
import { severityOf } from '../lines/levels.js';
import type { Sink, WriteDone } from './sink.js';

export const JOURNAL_SOCKET = '/run/systemd/journal/socket';

/** From which of pino's levels on, as syslog(3) numbers them. */
const PRIORITIES = [
  [60, 2],
  [50, 3],
  [40, 4],
  [30, 6],
] as const;
const DEBUG = 7;
const RETRY_MS = 20;
/** How long an entry waits for lines that go on with it. */
const HOLD_MS = 20;
/** The system's bound of a datagram is about 200 KB where it grants no more. */
const MOST_CHARACTERS = 48 * 1024;
/** Fields of their own, or no news. */
const APART = new Set(['level', 'time', 'name', 'msg', 'slot', 'worker', 'generation', 'stream', 'continued']);

type Line = Readonly<Record<string, unknown>>;

/** What sends one entry; it throws with the code EAGAIN where the journal lags behind. */
export interface JournalSocket {
  send(payload: Uint8Array): void;
  close(): void;
}

/**
 * Whether a descriptor is the journal's own, which then would have each line with the same priority.
 *
 * @param stream JOURNAL_STREAM, device and inode: see systemd.exec(5)
 */
export function isJournal(fd: number, stream: string | null): boolean {
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true });
    return stream === `${dev}:${ino}`;
  } catch {
    return false;
  }
}

/** A sink for lines of JSON. Owns the socket. */
export function journalSink(socket: JournalSocket): Sink {
  /** What may yet be gone on with. */
  let open: { line: Line; text: string } | undefined;
  let timer: NodeJS.Timeout | undefined;
  const ready: Buffer[] = [];
  let lost: Error | null = null;

  function settle(): void {
    clearTimeout(timer);
    if (open !== undefined) ready.push(entryOf(open.line, open.text));
    open = undefined;
  }

  function take(json: string): void {
    const line = parse(json);
    const text = typeof line.msg === 'string' ? line.msg : '';
    if (open !== undefined && goesOn(open.line, line) && open.text.length + text.length < MOST_CHARACTERS) {
      open.text += line.continued === true ? text : `\n${text}`;
      return;
    }
    settle();
    open = { line, text };
  }

  /** What cannot be sent is lost: @throws only for a journal that lags behind, and may be asked again. */
  function pump(): void {
    for (let entry = ready[0]; entry !== undefined; entry = ready[0]) {
      try {
        socket.send(entry);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EAGAIN') throw error;
        lost = error as Error;
      }
      ready.shift();
    }
  }

  function send(done: WriteDone): void {
    try {
      pump();
    } catch {
      setTimeout(send, RETRY_MS, done);
      return;
    }
    const error = lost;
    lost = null;
    done(error, 0);
  }

  function flush(): void {
    settle();
    try {
      pump();
    } catch {
      // The next write, if there is one, tries again.
    }
  }

  return {
    write(text, done) {
      for (const json of text.split('\n')) if (json !== '') take(json);
      clearTimeout(timer);
      timer = setTimeout(flush, HOLD_MS).unref();
      setImmediate(send, done);
    },
    flush,
    close() {
      flush();
      socket.close();
    },
  };
}

/** For standard output that is the journal, where it cannot be reached otherwise: the priority in front, see sd-daemon(3). */
export function withPriority(json: string): string {
  return `<${priorityOf(parse(json))}>${json}`;
}

function priorityOf({ level }: Line): number {
  const severity = severityOf(level);
  return PRIORITIES.find(([from]) => severity >= from)?.[1] ?? DEBUG;
}

/** As the journal wants it: `NAME=value`, or where the value has line ends its length in 8 bytes and then the value. */
export function entryOf(line: Line, text: string): Buffer {
  const rest = Object.entries(line).filter(([name]) => !APART.has(name));
  const isWorkers = line.stream !== undefined;
  const told = isWorkers ? text : [text, ...rest.map(([name, value]) => `${name}=${plain(value)}`)].join(' ');
  const fields: [name: string, value: string][] = [
    ['MESSAGE', told],
    ['PRIORITY', String(priorityOf(line))],
    ['SYSLOG_IDENTIFIER', plain(line.name)],
  ];
  for (const name of ['slot', 'worker', 'generation', 'stream']) {
    if (line[name] !== undefined) fields.push([fieldName(name), plain(line[name])]);
  }
  for (const [name, value] of rest) fields.push([fieldName(name), plain(value)]);
  return Buffer.concat(fields.flatMap(([name, value]) => fieldOf(name, Buffer.from(value))));
}

function fieldOf(name: string, value: Buffer): Buffer[] {
  if (!value.includes(10)) return [Buffer.from(`${name}=`), value, Buffer.from('\n')];
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(value.length));
  return [Buffer.from(`${name}\n`), length, value, Buffer.from('\n')];
}

/** `afterMs` is HOLDFAST_AFTER_MS. */
function fieldName(name: string): string {
  const words = name.replaceAll(/([a-z\d])([A-Z])/g, '$1_$2').replaceAll(/[^A-Za-z\d]+/g, '_');
  return `HOLDFAST_${words.toUpperCase()}`.slice(0, 64);
}

function plain(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}

function goesOn(before: Line, line: Line): boolean {
  if (line.stream === undefined || typeof line.msg !== 'string') return false;
  const same = line.stream === before.stream && line.worker === before.worker && line.hook === before.hook;
  return same && (line.continued === true || GOES_ON.test(line.msg));
}

function parse(json: string): Line {
  try {
    return JSON.parse(json) as Line;
  } catch {
    return { msg: json, level: 'info' };
  }
}
