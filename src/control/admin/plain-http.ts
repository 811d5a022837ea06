/**
 * HTTP/1.1 for who only tells: one request without a body on each connection, one answer, and the connection ends (RFC 9112).
 *
 * For an address that anybody may reach. A client costs no more than the reading of one head: what follows it is thrown away,
 * and who is silent, or does not read, makes room for the next one. Never throws, and never waits for a client.
 */
import net from 'node:net';
import { SilentClients } from './silent-clients.js';

/** The request of a probe has some hundred bytes. */
const HEAD_LIMIT_BYTES = 8 * 1024;
const CONNECTION_LIMIT = 64;
/** From the beginning of a connection to its end. */
const PATIENCE_MS = 10_000;
/** How much of what follows the request is read, so that the answer is not lost by a reset (RFC 9112, section 9.6). */
const REST_LIMIT_BYTES = 64 * 1024;
/** How much of a stream may wait for its client. */
const BEHIND_LIMIT_BYTES = 1024 ** 2;
/** How long a close waits for clients to read what was written for them. */
const CLOSE_PATIENCE_MS = 1_000;
const HEAD_END = '\r\n\r\n';
const REQUEST_LINE = /^([A-Z]{1,16}) (\S+) HTTP\/1\.([01])$/;
const FIELD = /^([!#$%&'*+.^_`|~\dA-Za-z-]+):[ \t]*(.*?)[ \t]*$/;

const REASONS: Readonly<Record<number, string>> = {
  200: 'OK',
  202: 'Accepted',
  204: 'No Content',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  421: 'Misdirected Request',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

export interface PlainRequest {
  readonly method: string;
  /** Without its query. */
  readonly path: string;
  /** Without its question mark. */
  readonly query: string;
  /** As the client calls this server; null where it does not (HTTP/1.0). */
  readonly host: string | null;
  /** By their names in small letters. Several of a name are one list (RFC 9110, section 5.3). */
  readonly headers: ReadonlyMap<string, string>;
}

export interface PlainAnswer {
  readonly statusCode: number;
  readonly contentType: string;
  /** Bytes where the same is given to many: they are sent as they are, and not copied. */
  readonly text: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  /** What follows the text for as long as the client is there. @returns called when it is gone */
  readonly stream?: (sink: Sink) => () => void;
}

/** A client that is written to as long as it reads. */
export interface Sink {
  /** Who is behind by too much is sent away: nothing is kept for it. */
  write(text: string): void;
  end(): void;
}

interface Client {
  readonly socket: net.Socket;
  /** Of the clock of `performance.now()`. */
  readonly since: number;
  readonly deadline: NodeJS.Timeout;
  head: string;
  /** Its answer is on the way: it is not sent away for somebody else. */
  working: boolean;
  answered: boolean;
  restBytes: number;
}

export class PlainServer {
  readonly #server: net.Server;
  readonly #answer: (request: PlainRequest) => Promise<PlainAnswer>;
  /** The oldest first. */
  readonly #clients = new Set<Client>();
  readonly #silent = new SilentClients();
  #closed: Promise<void> | null = null;

  private constructor(answer: (request: PlainRequest) => Promise<PlainAnswer>) {
    this.#answer = answer;
    this.#server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#welcome(socket));
  }

  /**
   * @param answer must not reject
   * @throws the system's error where it cannot listen there
   */
  static listen(
    where: net.ListenOptions & { readonly fd?: number },
    answer: (request: PlainRequest) => Promise<PlainAnswer>,
  ): Promise<PlainServer> {
    const plain = new PlainServer(answer);
    const server = plain.#server;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      // Not through node:cluster, and so never shared with a worker.
      server.listen({ ...where, exclusive: true }, () => {
        server.removeListener('error', reject);
        // A connection that could not be accepted: no file descriptor was left.
        server.on('error', () => {});
        resolve(plain);
      });
    });
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Whether somebody waits for an answer, or has just connected and is about to ask. To be asked while it is waited for. */
  get isAsked(): boolean {
    const open = [...this.#clients].filter(({ answered }) => !answered);
    const connectedAt = open.map(({ since }) => since);
    return open.some(({ working }) => working) || this.#silent.areAwaited(connectedAt, performance.now());
  }

  /** For the program that takes the place of this one; null where it does not listen. */
  get fd(): number | null {
    const { _handle: handle } = this.#server as unknown as { readonly _handle: { readonly fd: number } | null };
    return handle?.fd ?? null;
  }

  /** Ends clients that have no answer to come; the others have a moment for theirs. */
  close(): Promise<void> {
    this.#closed ??= this.#end();
    return this.#closed;
  }

  async #end(): Promise<void> {
    const gone = new Promise((resolve) => this.#server.close(resolve));
    for (const client of this.#clients) if (!client.working && !client.answered) client.socket.destroy();
    const force = setTimeout(() => {
      for (const { socket } of this.#clients) socket.destroy();
    }, CLOSE_PATIENCE_MS);
    await gone;
    clearTimeout(force);
  }

  #welcome(socket: net.Socket): void {
    socket.on('error', () => {});
    if (!this.#makeRoom()) {
      socket.destroy();
      return;
    }
    const deadline = setTimeout(() => socket.destroy(), PATIENCE_MS);
    const since = performance.now();
    const client: Client = { socket, since, deadline, head: '', working: false, answered: false, restBytes: 0 };
    this.#clients.add(client);
    socket.once('close', () => {
      clearTimeout(deadline);
      this.#clients.delete(client);
    });
    // latin1: a head is bytes, and nothing in it may be lost.
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => this.#read(client, text));
    // Nothing more will come: where there was no whole request, there is nothing to answer.
    socket.once('end', () => {
      if (!client.working && !client.answered) socket.destroy();
      else if (client.answered) socket.end();
    });
  }

  /** The oldest who has nothing under way goes for a new one. @returns false where all have */
  #makeRoom(): boolean {
    if (this.#clients.size < CONNECTION_LIMIT) return true;
    for (const client of this.#clients) {
      if (client.working) continue;
      client.socket.destroy();
      this.#clients.delete(client);
      return true;
    }
    return false;
  }

  #read(client: Client, text: string): void {
    const { socket } = client;
    if (client.working || client.answered) {
      client.restBytes += text.length;
      if (client.restBytes > REST_LIMIT_BYTES) socket.destroy();
      return;
    }
    client.head += text.slice(0, HEAD_LIMIT_BYTES + HEAD_END.length - client.head.length);
    // An empty line before the request is no fault (RFC 9112, section 2.2).
    const head = client.head.replace(/^(?:\r\n)+/, '');
    const end = head.indexOf(HEAD_END);
    if (end === -1 && client.head.length < HEAD_LIMIT_BYTES) return;
    if (end === -1) {
      send(client, 'GET', failure(431, 'the head is too large'));
      return;
    }
    const request = parseHead(head.slice(0, end));
    client.head = '';
    if (request === null) {
      send(client, 'GET', failure(400, 'this is not a request of HTTP/1.1'));
      return;
    }
    client.working = true;
    void this.#answer(request).then((answer) => {
      client.working = false;
      send(client, request.method, answer);
    });
  }
}

/** @returns null for what is no head of a request */
export function parseHead(head: string): PlainRequest | null {
  const [first = '', ...lines] = head.split('\r\n');
  const [, method = '', target = '', minor] = REQUEST_LINE.exec(first) ?? [];
  if (method === '') return null;
  const hosts: string[] = [];
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, name, value = ''] = FIELD.exec(line) ?? [];
    if (name === undefined) return null;
    const key = name.toLowerCase();
    if (key === 'host') hosts.push(value);
    const before = headers.get(key);
    headers.set(key, before === undefined ? value : `${before}${key === 'cookie' ? ';' : ','} ${value}`);
  }
  // RFC 9112, section 3.2: a request of HTTP/1.1 has just one.
  const [host = null, second] = hosts;
  if (second !== undefined || (host === null && minor === '1')) return null;
  const request = { method, headers };
  if (target.startsWith('/') || method === 'CONNECT' || target === '*') {
    return { ...request, ...partsOf(target), host };
  }
  const [, authority, rest = ''] = /^https?:\/\/([^/?#]+)(.*)$/i.exec(target) ?? [];
  return authority === undefined ? null : { ...request, ...partsOf(rest), host: authority };
}

function partsOf(target: string): Pick<PlainRequest, 'path' | 'query'> {
  const [, path = '', query = ''] = /^([^?#]*)\??([^#]*)/.exec(target) ?? [];
  return { path: path || '/', query };
}

function send(client: Client, method: string, answer: PlainAnswer): void {
  const { statusCode, contentType, text, headers = {}, stream } = answer;
  const { socket } = client;
  const isStream = stream !== undefined && method === 'GET';
  client.answered = true;
  const fields = {
    'content-type': contentType,
    ...(!isStream && { 'content-length': String(Buffer.byteLength(text)) }),
    'cache-control': 'no-store',
    // What a browser is shown is never more than text.
    'x-content-type-options': 'nosniff',
    connection: 'close',
    ...headers,
  };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  const reason = REASONS[statusCode] ?? '';
  socket.cork();
  socket.write(`HTTP/1.1 ${statusCode} ${reason}\r\n${lines.join('')}\r\n`);
  if (isStream) follow(client, text, stream);
  else socket.end(method === 'HEAD' ? '' : text);
  socket.uncork();
}

/** It is not sent away for somebody else: how many there are is for who answers to say. */
function follow(client: Client, text: string | Buffer, stream: (sink: Sink) => () => void): void {
  const { socket } = client;
  clearTimeout(client.deadline);
  client.working = true;
  socket.write(text);
  const gone = stream({
    write: (more) => {
      if (socket.destroyed) return;
      if (socket.writableLength + more.length > BEHIND_LIMIT_BYTES) socket.destroy();
      else socket.write(more);
    },
    end: () => socket.end(),
  });
  socket.once('close', gone);
}

function failure(statusCode: number, error: string): PlainAnswer {
  return { statusCode, contentType: 'application/json', text: `${JSON.stringify({ error })}\n` };
}
