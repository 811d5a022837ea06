/** One exchange over a control socket: HTTP, one request a connection. */
import type http from 'node:http';
import type { SupervisorStatus } from '../protocol.js';
import { request } from './lean-http.js';

/** Far more than the status of 256 workers. */
const LONGEST_CHARACTERS = 16 * 1024 ** 2;

export interface ExchangeOptions {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Sends a request and resolves with the head of its answer.
 *
 * @throws the system's error (`ECONNREFUSED`, `ENOENT`, ...) or an AbortError
 */
export function exchange(socketPath: string, options: ExchangeOptions): Promise<http.IncomingMessage> {
  const body = options.body === undefined ? undefined : JSON.stringify(options.body);
  return new Promise((resolve, reject) => {
    const outgoing = request({
      socketPath,
      method: options.method,
      path: options.path,
      // A connection that stays open would keep the command line alive.
      agent: false,
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
      ...(options.signal && { signal: options.signal }),
    });
    outgoing.once('response', resolve);
    // Stays: an error after the answer began is told by the answer's own stream.
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** @throws Error for more than any supervisor would say: the socket may be somebody else's */
export async function readText(response: http.IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) {
    text += chunk;
    if (text.length > LONGEST_CHARACTERS) throw tooLong();
  }
  return text;
}

function tooLong(): Error {
  return new Error(`its answer is longer than ${LONGEST_CHARACTERS / 1024 ** 2} MiB`);
}

/** The lines of a stream, without their newlines. */
export async function* readLines(response: http.IncomingMessage): AsyncGenerator<string, void, void> {
  let rest = '';
  for await (const chunk of response.setEncoding('utf8')) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > LONGEST_CHARACTERS) throw tooLong();
    yield* lines;
  }
  if (rest !== '') yield rest;
}

/**
 * @param timeoutMs how long the whole answer may take
 * @throws an error that says why there is no status: the system's, or one of that time
 */
export async function fetchStatus(socketPath: string, timeoutMs: number): Promise<SupervisorStatus> {
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), timeoutMs);
  try {
    const response = await exchange(socketPath, { method: 'GET', path: '/status', signal: patience.signal });
    const text = await readText(response);
    if (response.statusCode !== 200) throw new Error(errorIn(text));
    return checkStatus(JSON.parse(text));
  } catch (cause) {
    if (!patience.signal.aborted) throw cause;
    throw new Error(`it does not answer within ${timeoutMs / 1000} s`, { cause });
  } finally {
    clearTimeout(timer);
  }
}

/** As far as what shows it relies on. @throws Error for what is no status: the socket may be anybody's */
function checkStatus(value: unknown): SupervisorStatus {
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
  if (!isStatus) throw new Error('what it answers is no status of holdfast');
  return value as SupervisorStatus;
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

/** What a control server's answer says went wrong. */
export function errorIn(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    if (typeof error === 'string') return error;
  } catch {
    // Not of a control server's making: told as it is.
  }
  return text.trim() || 'no reason given';
}
