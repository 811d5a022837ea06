/**
 * What a worker may say, and nothing else: its messages are read here before anybody looks at them. The application shares
 * the channel, so any of them may be forged. Pure; called by the worker's channel.
 *
 * A new message of `src/protocol/worker.ts` needs a line in `MESSAGES`, or this does not compile.
 */
import { isIP } from 'node:net';
import type {
  AcceptedCounts,
  ApplicationMetrics,
  ConnectionCounts,
  GcTotals,
  OpenConnection,
  WorkerFigures,
} from '../../../protocol/measured.js';
import type { SharedRequest, WorkerMessage } from '../../../protocol/worker.js';
import {
  amount,
  list,
  Mismatch,
  nullOr,
  numbers,
  oneOf,
  optional,
  type Reader,
  record,
  type Shape,
  tally,
  text,
  truth,
  whole,
} from './message-shape.js';

type Type = WorkerMessage['type'];
type Body<T extends Type> = Omit<Extract<WorkerMessage, { type: T }>, 'cmd' | 'type'>;

/** An IP address with its zone, and a port. */
const ADDRESS_CHARACTERS = 128;
/** `PATH_MAX` of Linux. */
const FILE_CHARACTERS = 4096;
/** The longest is that of a unix socket: `sharedKey`. */
const KEY_CHARACTERS = 'unix:'.length + FILE_CHARACTERS;
const HOST_CHARACTERS = 64;
/** Slots are numbered from 0 and there are at most 256, a canary beside them. */
const LAST_SLOT = 256;
/** As many `listen(0)` of one worker can be told apart. */
const LAST_ORDINAL = 65_535;
const DETAIL_CHARACTERS = 8 * 1024;
const PATH_CHARACTERS = 1024;
const URL_CHARACTERS = 128;
const MOST_NAMED = 64;
const MOST_REASONS = 32;
const MOST_BUCKETS = 128;
const MOST_ADDRESSES = 1_024;
/** As much as a worker keeps, of each. */
const OUTPUT_CHARACTERS = 256 * 1024;
const MOST_SERIES = 2_000;
/** That of the description of so many. */
const SCHEMA_CHARACTERS = 2 * 1024 ** 2;

const count = whole(0, Number.MAX_SAFE_INTEGER);
const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
const isAmount = (value: unknown) => typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER;
const isNumberOrNull = (value: unknown) => value === null || typeof value === 'number';
const key = text(KEY_CHARACTERS);
const slot = whole(0, LAST_SLOT);
/** More than a process can have open, so that no sum of them is ever inexact. */
const openCount = optional(whole(0, 2 ** 31));

const ip: Reader<string> = (value, at) => {
  const host = text(HOST_CHARACTERS)(value, at);
  if (isIP(host) === 0) throw new Mismatch(`${at} must be an IP address`);
  return host;
};

const counts = record<ConnectionCounts>({
  http1: openCount,
  http2: openCount,
  websocket: openCount,
  upgraded: openCount,
  other: openCount,
});

const named = record<OpenConnection>({
  kind: oneOf('http1', 'http2', 'websocket', 'upgraded', 'other'),
  ageMs: amount,
  remote: nullOr(text(ADDRESS_CHARACTERS)),
  path: nullOr(text(PATH_CHARACTERS)),
});

const figures = record<WorkerFigures>({ answers: count, serverErrors: count, latency: list(count, MOST_BUCKETS) });

const accepted = record<AcceptedCounts>({ http1: count, http2: count, other: count });

const gc = record<GcTotals>({
  kind: oneOf('minor', 'major', 'incremental', 'weakcb'),
  count,
  ms: amount,
  buckets: numbers<number>(MOST_BUCKETS, isCount),
});

const application = record<ApplicationMetrics>({
  version: count,
  schema: optional(text(SCHEMA_CHARACTERS)),
  values: numbers<number | null>(MOST_SERIES, isNumberOrNull),
  left: count,
  failure: nullOr(text(DETAIL_CHARACTERS)),
  costMs: optional(amount),
});

const path: Reader<string> = (value, at) => {
  const name = text(FILE_CHARACTERS)(value, at);
  // Of an abstract name the first character is NUL; in the file system the supervisor has another working folder.
  if (!/^[/\0][^\0]+$/.test(name)) throw new Mismatch(`${at} must be an absolute path`);
  return name;
};

const unix = record<Extract<SharedRequest, { kind: 'unix' }>>({
  kind: oneOf('unix'),
  path,
  umask: whole(0, 0o777),
  readableAll: truth,
  writableAll: truth,
});

const udp = record<Extract<SharedRequest, { kind: 'udp' }>>({
  kind: oneOf('udp'),
  host: ip,
  port: whole(1, 65_535),
  family: oneOf(4, 6),
  ipv6Only: truth,
  reuseAddr: truth,
});

const shared: Reader<SharedRequest> = (value, at) =>
  (value as { readonly kind?: unknown } | null)?.kind === 'unix' ? unix(value, at) : udp(value, at);

const MESSAGES: { readonly [T in Type]: Shape<Body<T>> } = {
  able: { missing: list(text(DETAIL_CHARACTERS), MOST_REASONS), listens: truth },
  attach: {
    worker: count,
    slot,
    generation: count,
    pid: count,
    uptimeMs: amount,
    saidReady: truth,
    held: truth,
    listening: list(key, MOST_ADDRESSES),
    steady: list(key, MOST_ADDRESSES),
    draining: truth,
    drained: truth,
    missing: list(text(DETAIL_CHARACTERS), MOST_REASONS),
    sockets: whole(0, MOST_ADDRESSES),
    stdout: text(OUTPUT_CHARACTERS),
    stderr: text(OUTPUT_CHARACTERS),
  },
  output: { stream: oneOf('stdout', 'stderr') },
  mine: { key, slot },
  adopted: { key, slot, ok: truth },
  listen: {
    seq: count,
    request: record({
      host: nullOr(ip),
      port: whole(0, 65_535),
      family: oneOf(4, 6),
      ipv6Only: truth,
      ordinal: whole(0, LAST_ORDINAL),
    }),
  },
  share: { seq: count, request: shared },
  bound: { key },
  stayed: { key },
  opened: { key },
  closed: { key },
  drained: {},
  handedOver: { handed: count, refused: count, takenBack: count, stayed: tally(MOST_REASONS, DETAIL_CHARACTERS) },
  linked: { link: count },
  unlinked: {},
  resigned: {},
  leftover: { counts, named: list(named, MOST_NAMED) },
  health: { ok: truth, detail: text(DETAIL_CHARACTERS) },
  released: { key, slot },
  profiled: { seq: count, ok: truth, aside: truth, detail: text(DETAIL_CHARACTERS) },
  inspected: { seq: count, url: text(URL_CHARACTERS), wasOpen: truth, detail: text(DETAIL_CHARACTERS) },
  metrics: { seq: count },
  measured: {
    seq: count,
    requests: count,
    statuses: numbers<number>(6, isCount),
    latency: numbers<number>(MOST_BUCKETS, isCount),
    tookMs: amount,
    accepted,
    connections: count,
    receivedBytes: amount,
    sentBytes: amount,
    cpuUserMs: amount,
    cpuSystemMs: amount,
    rssBytes: amount,
    heapUsedBytes: amount,
    heapLimitBytes: amount,
    externalBytes: amount,
    loopActiveMs: amount,
    loopIdleMs: amount,
    loopDelayMs: numbers<number>(4, isAmount),
    gc: list(gc, 4),
    kinds: optional(counts),
    application: optional(application),
  },
  stats: {
    seq: count,
    eventLoopDelayMs: amount,
    connections: count,
    accepted: count,
    requests: count,
    figures: optional(figures),
  },
};

/**
 * @returns a copy with the fields that are known
 * @throws Mismatch
 */
export function readWorkerMessage(message: object): WorkerMessage {
  const { type } = message as { type?: unknown };
  if (typeof type !== 'string' || !Object.hasOwn(MESSAGES, type)) {
    throw new Mismatch(`a message of the type ${JSON.stringify(type)?.slice(0, 64)} is not known`);
  }
  const shape = MESSAGES[type as Type] as Shape<Record<string, unknown>>;
  return { cmd: 'NODE_HOLDFAST', type, ...record(shape)(message, type) } as unknown as WorkerMessage;
}
