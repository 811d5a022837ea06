/** One exchange over a control socket: HTTP, one request a connection. */
import net from 'node:net';
import { StringDecoder } from 'node:string_decoder';
import type { SupervisorStatus } from '../../protocol/status.js';
import { AnswerReader } from './answer-reader.js';

/** Far more than the status of 256 workers. */
const LONGEST_CHARACTERS = 16 * 1024 ** 2;

/** Before the paths of the API that this speaks. */
const VERSION = '/v1';

export interface ExchangeOptions {
  readonly method: 'GET' | 'POST';
  /** Without the version of the API. */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
  /** How long the whole answer may take. */
  readonly timeoutMs?: number;
  /** The process need not stay for the answer. */
  readonly unref?: boolean;
}

/** An answer whose head has come. */
export interface Answer {
  readonly statusCode: number;
  /** Of a supervisor from before the API had versions: lines of JSON in place of events. */
  readonly isOld: boolean;
  /** Its body, as it comes, once. Throws the system's error, or one that says that it was not all. */
  readonly body: AsyncGenerator<string, void, void>;
  /** What has not come yet is not waited for. */
  readonly destroy: () => void;
}

/**
 * Sends a request and resolves with the head of its answer. A supervisor that runs since before the API had versions is asked
 * again without.
 *
 * @throws the system's error (`ECONNREFUSED`, `ENOENT`, ...), an AbortError, or one that says what is wrong with the answer
 */
export async function exchange(socketPath: string, options: ExchangeOptions): Promise<Answer> {
  const answer = await send(socketPath, { ...options, path: VERSION + options.path });
  if (answer.statusCode !== 404) return { ...answer, isOld: false };
  answer.destroy();
  return { ...(await send(socketPath, options)), isOld: true };
}

async function send(socketPath: string, options: ExchangeOptions): Promise<Omit<Answer, 'isOld'>> {
  const { signal, timeoutMs } = options;
  const socket = net.connect({ path: socketPath, ...(signal && { signal }) });
  if (options.unref) socket.unref();
  // Told by who reads from it, if anybody still does.
  socket.on('error', () => {});
  if (timeoutMs !== undefined) {
    const late = () => socket.destroy(new Error(`it does not answer within ${timeoutMs / 1000} s`));
    const timer = setTimeout(late, timeoutMs);
    socket.once('close', () => clearTimeout(timer));
  }
  // Not ended: to a server that would say that nobody waits for the answer.
  socket.write(requestText(options));
  const reader = new AnswerReader();
  const incoming: AsyncIterator<Buffer, unknown, undefined> = socket[Symbol.asyncIterator]();
  const first: Buffer[] = [];
  try {
    while (reader.statusCode === null) {
      const { done, value } = await incoming.next();
      if (done) throw endedEarly();
      first.push(...reader.read(value));
    }
  } catch (error) {
    socket.destroy();
    throw error;
  }
  const body = readBody(reader, incoming, first, socket);
  return { statusCode: reader.statusCode, body, destroy: () => socket.destroy() };
}

function requestText({ method, path, body }: ExchangeOptions): string {
  const head = `${method} ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n`;
  if (body === undefined) return method === 'POST' ? `${head}content-length: 0\r\n\r\n` : `${head}\r\n`;
  const text = JSON.stringify(body);
  const fields = `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(text)}\r\n`;
  return `${head}${fields}\r\n${text}`;
}

function endedEarly(): NodeJS.ErrnoException {
  return Object.assign(new Error('its answer ended too early'), { code: 'ECONNRESET' });
}

async function* readBody(
  reader: AnswerReader,
  incoming: AsyncIterator<Buffer, unknown, undefined>,
  first: readonly Buffer[],
  socket: net.Socket,
): AsyncGenerator<string, void, void> {
  const decoder = new StringDecoder('utf8');
  try {
    let pieces = first;
    for (;;) {
      const text = pieces.map((piece) => decoder.write(piece)).join('');
      if (text !== '') yield text;
      if (reader.done) return;
      const { done, value } = await incoming.next();
      if (done && reader.mayEnd) return;
      if (done) throw endedEarly();
      pieces = reader.read(value);
    }
  } finally {
    socket.destroy();
  }
}

/** @throws Error for more than any supervisor would say: the socket may be somebody else's */
export async function readText({ body }: Answer): Promise<string> {
  let text = '';
  for await (const piece of body) {
    text += piece;
    if (text.length > LONGEST_CHARACTERS) throw tooLong();
  }
  return text;
}

function tooLong(): Error {
  return new Error(`its answer is longer than ${LONGEST_CHARACTERS / 1024 ** 2} MiB`);
}

/** The lines of an answer, without their newlines. */
export async function* readLines({ body }: Answer): AsyncGenerator<string, void, void> {
  let rest = '';
  for await (const piece of body) {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > LONGEST_CHARACTERS) throw tooLong();
    yield* lines;
  }
  if (rest !== '') yield rest;
}

/**
 * @param timeoutMs how long the whole answer may take
 * @param figures whether those of the workers are wanted, too
 * @throws an error that says why there is no status: the system's, or one of that time
 */
export async function fetchStatus(socketPath: string, timeoutMs: number, figures = false): Promise<SupervisorStatus> {
  const path = figures ? '/status?figures=true' : '/status';
  const answer = await exchange(socketPath, { method: 'GET', path, timeoutMs });
  const text = await readText(answer);
  if (answer.statusCode !== 200) throw new Error(errorIn(text));
  return checkStatus(JSON.parse(text));
}

/** As far as what shows it relies on. @throws Error for what is no status: the socket may be anybody's */
export function checkStatus(value: unknown): SupervisorStatus {
  const status = (value ?? {}) as Partial<SupervisorStatus>;
  const { name, state, script, listenMode, listenModeReason, steeringReason, version, nodeVersion } = status;
  const { size, uptimeMs, addresses, workers, rollout, cutOff } = status;
  const texts = [name, state, script, listenMode, listenModeReason, steeringReason, version, nodeVersion];
  const isStatus =
    texts.every((text) => typeof text === 'string') &&
    [size, uptimeMs].every((number) => typeof number === 'number') &&
    [rollout, cutOff].every((part) => typeof part === 'object' && part !== null) &&
    [workers, addresses].every((list) => Array.isArray(list) && list.every(isObject)) &&
    addresses?.every(
      ({ host, sockets }) => typeof host === 'string' && Array.isArray(sockets) && sockets.every(isObject),
    );
  if (!isStatus) throw new Error('its answer is not a status as holdfast gives it');
  return value as SupervisorStatus;
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

/** What a control server's answer says went wrong. */
export function errorIn(text: string): string {
  return refusalIn(text).error;
}

/** The same with what to do next; null where it does not say. */
export function refusalIn(text: string): { readonly error: string; readonly hint: string | null } {
  try {
    const { error, hint } = (JSON.parse(text) ?? {}) as { error?: unknown; hint?: unknown };
    if (typeof error === 'string') return { error, hint: typeof hint === 'string' ? hint : null };
  } catch {
    // Not of a control server's making: told as it is.
  }
  return { error: text.trim() || 'no reason given', hint: null };
}
