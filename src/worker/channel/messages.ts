/**
 * What the supervisor may say, and nothing else. The application can emit on the same channel what it likes, and the
 * supervisor may be of another version: what is not understood is as if it had not come.
 *
 * A new message of `src/protocol/worker.ts` needs a line in `MESSAGES`, or this does not compile.
 */
import type { SupervisorMessage } from '../../protocol/worker.js';

type Type = SupervisorMessage['type'];
type Body<T extends Type> = Omit<Extract<SupervisorMessage, { type: T }>, 'cmd' | 'type'>;
type Check = (value: unknown) => boolean;
type Shape<T> = { readonly [K in keyof T]-?: Check };

/** The largest of Node's timers, in milliseconds. */
const LONGEST_MS = 2 ** 31 - 1;

const isText: Check = (value) => typeof value === 'string' && value.length <= 1024;
/** The longest names a path, which has 4,096 characters at most. */
const isKey: Check = (value) => typeof value === 'string' && value.length <= 4096 + 'unix:'.length;
/** No longer than a string can be: it is the application's own memory. */
const isPage: Check = (value) => typeof value === 'string';
const isWhole: Check = (value) => Number.isSafeInteger(value);
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const isTimeMs: Check = (value) => typeof value === 'number' && value >= 0 && value <= LONGEST_MS;
const isAmount: Check = (value) => typeof value === 'number' && Number.isFinite(value);
const isTruth: Check = (value) => typeof value === 'boolean';
/** Node's own bounds are wider: what is shorter costs too much, and what is longer tells too little. */
const isResolution: Check = (value) =>
  value === undefined || (Number.isSafeInteger(value) && (value as number) >= 10 && (value as number) <= 1_000);
const isTruthOrNothing: Check = (value) => value === undefined || typeof value === 'boolean';

const MESSAGES: { readonly [T in Type]: Shape<Body<T>> } = {
  socket: { seq: isCount, key: isKey, errno: isWhole, hold: isTruthOrNothing, standIn: isTruthOrNothing },
  accept: {},
  output: {},
  abandon: {},
  attached: {},
  adopt: { key: isKey, slot: isCount, under: (value) => value === undefined || isKey(value) },
  release: { key: isKey, slot: isCount },
  drain: {
    emptyQueue: isTruth,
    windowMs: isTimeMs,
    spreadMs: isTimeMs,
    reason: (value) => value === 'replaced' || value === 'stopping',
    recipients: isTruth,
    heirs: isTruthOrNothing,
    sayShutdown: (value) => value === 'early' || value === 'late',
  },
  link: {
    link: isCount,
    role: (value) => ['give', 'take', 'back', 'cut'].includes(value as string),
    addresses: (value) => Array.isArray(value) && value.every(isKey),
  },
  ticketKey: { key: isText },
  terminate: {},
  profile: {
    seq: isCount,
    what: (value) => ['cpu', 'heap', 'sampling'].includes(value as string),
    forMs: isTimeMs,
    file: isKey,
    id: isText,
    spare: isKey,
  },
  endProfile: { seq: isCount },
  inspect: { seq: isCount },
  health: { path: isText, timeoutMs: isTimeMs },
  measure: {
    seq: isCount,
    kinds: isTruthOrNothing,
    resolutionMs: isResolution,
    gcWeight: (value) => value === undefined || isCount(value),
    application: isTruth,
    known: isCount,
  },
  metrics: { seq: isCount, contentType: isText, text: isPage, reason: isText },
  stats: { seq: isCount, sentAtMs: isAmount, figures: isTruthOrNothing },
};

/** Of these, and of no others, a handle may be part. */
const WITH_HANDLE: ReadonlySet<unknown> = new Set<Type>(['socket', 'adopt', 'link', 'output']);

export function isSupervisorMessage(message: object): message is SupervisorMessage {
  const { type } = message as { readonly type?: unknown };
  if (typeof type !== 'string' || !Object.hasOwn(MESSAGES, type)) return false;
  const shape: Readonly<Record<string, Check>> = MESSAGES[type as Type];
  return Object.keys(shape).every((name) => shape[name]?.((message as Record<string, unknown>)[name]));
}

export function mayHaveHandle({ type }: { readonly type?: unknown }): boolean {
  return WITH_HANDLE.has(type);
}
