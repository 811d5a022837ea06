/** A client of HTTP/2 that sees every frame, and the session of its server. */
import { once } from 'node:events';
import http2, { type ServerHttp2Session } from 'node:http2';
import net from 'node:net';
import type { Test } from 'tap';
import { FRAME_TYPES, type Frame, FrameReader } from '../../e2e/support/frames.js';

export const ANY_STREAM = 0x7fffffff;
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const ACK = 1;

export function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** GET http: / of HPACK's static table, and `:authority: x`. */
const GET = Buffer.from([0x82, 0x84, 0x86, 0x41, 0x01, 0x78]);

export async function serve(t: Test, server: http2.Http2Server | http2.Http2SecureServer): Promise<number> {
  const sessions = new Set<ServerHttp2Session>();
  server.on('session', (session) => sessions.add(session));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return (server.address() as net.AddressInfo).port;
}

/** A client that does only what it is told, and keeps what it is sent. */
class Frames {
  readonly received: Frame[] = [];
  readonly socket: net.Socket;
  readonly closed: Promise<unknown>;
  readonly #reader = new FrameReader('server');
  #changed = () => {};

  constructor(t: Test, port: number) {
    this.socket = net.connect(port, '127.0.0.1');
    this.closed = once(this.socket, 'close');
    this.socket.on('error', () => {});
    this.socket.on('data', (chunk) => {
      this.received.push(...this.#reader.read(chunk));
      this.#changed();
    });
    this.socket.on('close', () => this.#changed());
    this.socket.write(Buffer.concat([Buffer.from(PREFACE), frame(FRAME_TYPES.settings, 0, 0)]));
    t.teardown(() => this.socket.destroy());
  }

  async settle(): Promise<void> {
    await this.of(FRAME_TYPES.settings, 1);
    this.socket.write(frame(FRAME_TYPES.settings, ACK, 0));
  }

  get(stream: number): void {
    this.socket.write(frame(FRAME_TYPES.headers, 0x5, stream, GET));
  }

  /** The first so many frames of a kind that are no acknowledgements. */
  async of(type: number, count: number): Promise<Frame[]> {
    for (;;) {
      const found = this.received.filter(
        (one) => one.type === type && (type === FRAME_TYPES.headers || one.flags === 0),
      );
      if (found.length >= count) return found;
      if (this.socket.destroyed) throw new Error(`the connection ended after ${found.length} frames of type ${type}`);
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }

  /** The last streams that the first GOAWAYs name: Node sends a further one when a session has ended. */
  async goaways(count: number): Promise<number[]> {
    return (await this.of(FRAME_TYPES.goaway, count))
      .slice(0, count)
      .map(({ payload }) => payload.readUInt32BE(0) & ANY_STREAM);
  }

  async answerPing(): Promise<void> {
    const [ping] = await this.of(FRAME_TYPES.ping, 1);
    this.socket.write(frame(FRAME_TYPES.ping, ACK, 0, ping?.payload));
  }
}

/** A server without TLS, a client of frames, and the session between them. */
export async function pair(t: Test, answer: (stream: http2.ServerHttp2Stream) => void = (stream) => stream.end('ok')) {
  const server = http2.createServer();
  server.on('stream', answer);
  const began = once(server, 'session') as Promise<[ServerHttp2Session]>;
  const client = new Frames(t, await serve(t, server));
  const [session] = await began;
  return { server, client, session };
}

export async function settled(session: ServerHttp2Session): Promise<void> {
  if (session.pendingSettingsAck) await once(session, 'localSettings');
}
