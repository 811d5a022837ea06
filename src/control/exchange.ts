/** One exchange over a control socket: HTTP, one request a connection. */
import type http from 'node:http';
import type { SupervisorStatus } from '../protocol.js';
import { request } from './lean-http.js';

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

export async function readText(response: http.IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  return text;
}

/** The lines of a stream, without their newlines. */
export async function* readLines(response: http.IncomingMessage): AsyncGenerator<string, void, void> {
  let rest = '';
  for await (const chunk of response.setEncoding('utf8')) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
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
    return JSON.parse(text) as SupervisorStatus;
  } catch (cause) {
    if (!patience.signal.aborted) throw cause;
    throw new Error(`it does not answer within ${timeoutMs / 1000} s`, { cause });
  } finally {
    clearTimeout(timer);
  }
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
