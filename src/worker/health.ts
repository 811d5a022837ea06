/**
 * Asks the application how it is: a GET through its own server and its own request handler, over a connection that never
 * leaves the process. So it is this worker that answers, in both listen modes, and TLS needs no certificate that is trusted.
 */
import type http2 from 'node:http2';
import type { Server } from 'node:net';
import { isHttp, isHttp2, isTls } from './connections.js';
import { MemorySocket } from './memory-stream.js';

export interface HealthAnswer {
  readonly ok: boolean;
  /** What is wrong, or what was answered, for people. */
  readonly detail: string;
}

interface Response {
  readonly status: number;
  readonly body: string;
}

const MOST_BYTES = 16 * 1024;
const LONGEST_DETAIL = 200;
const USER_AGENT = 'holdfast-health';
const OURS = new WeakSet<object>();

/** Whether the connection is one of these: they are nobody's requests. */
export function isHealthConnection(socket: object | null | undefined): boolean {
  return socket != null && OURS.has(socket);
}

/**
 * Well is an answer of 200 to 399. Of several HTTP servers the first one that knows the path (any answer but 404) counts: it
 * is often served on a port of its own. Never rejects.
 *
 * @param timeoutMs for each server
 */
export async function askHealth(servers: Iterable<Server>, path: string, timeoutMs: number): Promise<HealthAnswer> {
  let answer: HealthAnswer = { ok: false, detail: `GET ${path} cannot be asked: no HTTP server listens` };
  for (const server of servers) {
    if (!isHttp(server) && !isHttp2(server)) continue;
    try {
      const { status, body } = await ask(server, path, timeoutMs);
      const said = body === '' ? '' : `: ${JSON.stringify(body)}`;
      answer = { ok: status >= 200 && status < 400, detail: `GET ${path} answered ${status}${said}` };
      if (status !== 404) return answer;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return { ok: false, detail: `GET ${path} ${reason}` };
    }
  }
  return answer;
}

async function ask(server: Server, path: string, timeoutMs: number): Promise<Response> {
  const secure = isTls(server);
  const http2 = isHttp2(server);
  const [theirs, ours] = MemorySocket.pair(secure ? (http2 ? 'h2' : 'http/1.1') : undefined);
  OURS.add(theirs);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`was not answered within ${timeoutMs / 1000} s`)), timeoutMs).unref();
  });
  try {
    theirs.on('error', () => {});
    ours.on('error', () => {});
    const answer = http2 ? askHttp2(ours, path) : askHttp1(ours, path);
    // Past the handshake, where there would be one.
    server.emit(secure ? 'secureConnection' : 'connection', theirs);
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
    ours.destroy();
    theirs.destroy();
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
      if (text.length >= MOST_BYTES) resolve();
    });
    // A server that cuts the connection off has answered what it has.
    socket.once('end', resolve).once('close', resolve);
  });
  const end = text.indexOf('\r\n\r\n');
  const head = text.slice(0, end === -1 ? 0 : end);
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1] ?? Number.NaN);
  if (Number.isNaN(status)) throw new Error('was not answered: the connection was closed');
  const body = text.slice(end + 4);
  return { status, body: firstLine(/\ntransfer-encoding: *chunked/i.test(head) ? firstChunk(body) : body) };
}

async function askHttp2(socket: MemorySocket, path: string): Promise<Response> {
  const { connect } = require('node:http2') as typeof http2;
  const session = connect('http://localhost', { createConnection: () => socket as never });
  try {
    return await new Promise<Response>((resolve, reject) => {
      session.on('error', reject);
      const stream = session.request({ ':path': path, 'user-agent': USER_AGENT });
      let status = Number.NaN;
      let body = '';
      stream.setEncoding('latin1');
      stream.on('response', (headers) => {
        status = Number(headers[':status']);
      });
      stream.on('data', (chunk: string) => {
        if (body.length < MOST_BYTES) body += chunk;
      });
      stream.on('error', reject);
      stream.on('close', () => {
        if (Number.isNaN(status)) reject(new Error('was not answered: the stream was closed'));
        else resolve({ status, body: firstLine(body) });
      });
    });
  } finally {
    session.destroy();
  }
}

/** As much as a log line can bear. */
function firstLine(body: string): string {
  const [line = ''] = Buffer.from(body, 'latin1').toString('utf8').trim().split('\n', 1);
  return line.trim().slice(0, LONGEST_DETAIL);
}

/** Its size stands before it, in hexadecimal digits. */
function firstChunk(body: string): string {
  const size = Number.parseInt(body, 16);
  const begin = body.indexOf('\r\n') + 2;
  return Number.isNaN(size) || begin === 1 ? '' : body.slice(begin, begin + size);
}
