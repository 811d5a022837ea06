/**
 * Asks the application how it is: a GET through its own server and its own request handler, over a connection that never
 * leaves the process. So it is this worker that answers, in both listen modes, and TLS needs no certificate that is trusted.
 *
 * The preload calls it when the supervisor asks. Must never throw, and must leave nothing behind when it is done.
 */
import type http2 from 'node:http2';
import type { Server } from 'node:net';
import { performance } from 'node:perf_hooks';
import { MemorySocket } from '../node/memory-stream.js';
import { isHttp, isHttp2, isTls } from './connections.js';

export interface HealthAnswer {
  readonly ok: boolean;
  /** What is wrong, or what was answered, for people. */
  readonly detail: string;
}

interface Response {
  readonly status: number;
  readonly body: string;
}

/** So much of an answer is read, head included; it counts then, whether it ends or not. */
const MOST_BYTES = 16 * 1024;
const LONGEST_DETAIL = 200;
const USER_AGENT = 'holdfast-health';
const OURS = new WeakSet<object>();

/** What handlers ask of a socket of TLS, as it is with a client that shows no certificate. */
const TLS_FACE = {
  authorized: false,
  authorizationError: null,
  servername: 'localhost',
  getPeerCertificate: () => ({}),
  getPeerX509Certificate: () => undefined,
  getProtocol: () => 'TLSv1.3',
  getCipher: () => ({ name: 'TLS_AES_256_GCM_SHA384', standardName: 'TLS_AES_256_GCM_SHA384', version: 'TLSv1.3' }),
  getSession: () => undefined,
  isSessionReused: () => false,
};

/** Whether the connection, or the session of HTTP/2 on it, is one of these: their requests are nobody's. */
export function isHealthConnection(connection: object | null | undefined): boolean {
  return connection != null && OURS.has(connection);
}

/**
 * Well is an answer of 200 to 399. Of several HTTP servers the first one that knows the path (any answer but 404) counts: it
 * is often served on a port of its own. Never rejects.
 *
 * @param timeoutMs for all servers together; an answer that does not end by then is none
 */
export async function askHealth(servers: Iterable<Server>, path: string, timeoutMs: number): Promise<HealthAnswer> {
  let answer: HealthAnswer = { ok: false, detail: `GET ${path} cannot be asked: no HTTP server listens` };
  const endsAt = performance.now() + timeoutMs;
  for (const server of [...servers]) {
    if (!isHttp(server) && !isHttp2(server)) continue;
    try {
      const response = await ask(server, path, Math.max(0, endsAt - performance.now()));
      if (response === undefined) {
        return { ok: false, detail: `GET ${path} was not answered within ${timeoutMs / 1000} s` };
      }
      const { status, body } = response;
      const said = body === '' ? '' : `: ${JSON.stringify(body)}`;
      answer = { ok: status >= 200 && status < 400, detail: `GET ${path} answered ${status}${said}` };
      if (status !== 404) return answer;
    } catch (error) {
      // An application may throw a message of any length.
      const reason = oneLine(error instanceof Error ? error.message : String(error), 'utf8');
      return { ok: false, detail: `GET ${path} was not answered: ${reason}` };
    }
  }
  return answer;
}

/** @returns undefined where the time is over before the answer is */
async function ask(server: Server, path: string, timeoutMs: number): Promise<Response | undefined> {
  const secure = isTls(server);
  const http2 = isHttp2(server);
  const [theirs, ours] = MemorySocket.pair(secure ? (http2 ? 'h2' : 'http/1.1') : undefined);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, undefined).unref();
  });
  try {
    theirs.on('error', () => {});
    ours.on('error', () => {});
    const answer = http2 ? askHttp2(ours, path, secure) : askHttp1(ours, path);
    // Nobody waits for it where a listener of the application throws right away.
    answer.catch(() => {});
    connect(server, theirs, secure);
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
    ours.destroy();
    theirs.destroy();
  }
}

/** Gives the server a connection: past the handshake, where there would be one. */
function connect(server: Server, socket: MemorySocket, secure: boolean): void {
  OURS.add(socket);
  if (secure) Object.assign(socket, TLS_FACE);
  // Node puts a socket of its own between a session and a stream that is no socket: that one knows of neither peer nor TLS.
  const introduce = (session: http2.ServerHttp2Session) => {
    OURS.add(session);
    const { remoteAddress: address, remoteFamily: family, remotePort: port, encrypted, alpnProtocol } = socket;
    Object.assign(session.socket, { _peername: { address, family, port } });
    if (!secure) return;
    Object.assign(session.socket, TLS_FACE, { encrypted, alpnProtocol });
    Object.defineProperties(session, { encrypted: { value: encrypted }, alpnProtocol: { value: alpnProtocol } });
  };
  // Emitted before `emit` returns, so it is no other session.
  server.prependOnceListener('session', introduce);
  try {
    server.emit(secure ? 'secureConnection' : 'connection', socket);
  } finally {
    server.off('session', introduce);
  }
}

/** Written and read by hand: the application's instruments shall not see a request going out. */
async function askHttp1(socket: MemorySocket, path: string): Promise<Response> {
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: ${USER_AGENT}\r\nConnection: close\r\n\r\n`);
  let text = '';
  await new Promise<void>((resolve) => {
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      text += chunk;
      // Here nothing else slows a server down: one that writes without end would never let the event loop turn.
      if (text.length >= MOST_BYTES) socket.pause();
      // The connection may stay open all the same: proxies pass on what their upstream says of its own.
      if (text.length >= MOST_BYTES || parse(text)?.ends === 'here') resolve();
    });
    socket.once('end', resolve).once('close', resolve);
  });
  const response = parse(text);
  if (response === undefined) throw new Error('the connection was closed');
  if (response.ends === 'later' && text.length < MOST_BYTES) {
    throw new Error(`the connection was closed in the middle of an answer of ${response.status}`);
  }
  return { status: response.status, body: oneLine(response.body) };
}

async function askHttp2(socket: MemorySocket, path: string, secure: boolean): Promise<Response> {
  const { connect } = require('node:http2') as typeof http2;
  const session = connect(`${secure ? 'https' : 'http'}://localhost`, { createConnection: () => socket as never });
  try {
    return await new Promise<Response>((resolve, reject) => {
      session.on('error', reject);
      const stream = session.request({ ':path': path, 'user-agent': USER_AGENT });
      let status = Number.NaN;
      let body = '';
      const end = () => {
        if (Number.isNaN(status)) reject(new Error('the stream was closed'));
        else resolve({ status, body: oneLine(body) });
      };
      stream.setEncoding('latin1');
      stream.on('response', (headers) => {
        status = Number(headers[':status']);
      });
      stream.on('data', (chunk: string) => {
        body += chunk;
        if (body.length < MOST_BYTES) return;
        stream.pause();
        // Node emits `response` a tick after data that came with it.
        setImmediate(end);
      });
      stream.on('error', reject);
      stream.on('close', end);
    });
  } finally {
    session.destroy();
  }
}

interface Parsed extends Response {
  /** Whether all of it is there, more must come, or the end of the connection is its end (RFC 9112, section 6.3). */
  readonly ends: 'here' | 'later' | 'with the connection';
}

/** @returns undefined before the head has come; those of informational answers go before it (RFC 9110, section 15.2) */
function parse(text: string): Parsed | undefined {
  const headEnd = text.indexOf('\r\n\r\n');
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1] ?? Number.NaN);
  if (headEnd === -1 || Number.isNaN(status)) return undefined;
  const [head, body] = [text.slice(0, headEnd), text.slice(headEnd + 4)];
  if (status < 200) return parse(body);
  if (status === 204 || status === 304) return { status, body: '', ends: 'here' };
  if (/\ntransfer-encoding: *chunked/i.test(head)) return { status, ...joinChunks(body) };
  const length = /\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length === undefined) return { status, body, ends: 'with the connection' };
  return { status, body, ends: body.length < Number(length) ? 'later' : 'here' };
}

/** The size of each stands before it in hexadecimal digits; the last one's is 0 (RFC 9112, section 7.1). */
function joinChunks(text: string): Pick<Parsed, 'body' | 'ends'> {
  let body = '';
  let at = 0;
  for (;;) {
    const begin = text.indexOf('\r\n', at) + 2;
    if (begin === 1) return { body, ends: 'later' };
    const size = Number.parseInt(text.slice(at, begin), 16);
    if (!(size > 0)) return { body, ends: 'here' };
    body += text.slice(begin, begin + size);
    at = begin + size + 2;
  }
}

/** As much as a log line can bear, and nothing that a terminal would act upon. */
function oneLine(body: string, encoding: 'latin1' | 'utf8' = 'latin1'): string {
  const text = Buffer.from(body, encoding).toString('utf8');
  const line = text.replace(/[\s\p{C}]+/gu, ' ').trim();
  return [...line].slice(0, LONGEST_DETAIL).join('');
}
