/** HTTP/2 and gRPC: one connection for many streams, and another one when the server says so. */
import { once } from 'node:events';
import http2 from 'node:http2';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import grpc from '@grpc/grpc-js';
import { Client } from './client.js';

/**
 * Asks until the session is told to go, and lets the streams that are open then come to their end. What it asks for when
 * it is just being told may never be sent, or lie beyond the last stream that the server names at first: the client may
 * ask again elsewhere (RFC 9113, section 8.7). Without TLS the server names none at first, so that nothing may lie
 * beyond. A stream that the server refuses though it has had it is an error.
 */
export class Http2 extends Client {
  readonly #url: string;
  /** Codes of all GOAWAYs. */
  readonly codes: number[] = [];
  unsent = 0;

  constructor(name: string, url: string) {
    super(name);
    this.#url = url;
  }

  protected async converse(): Promise<void> {
    const session = http2.connect(this.#url, { rejectUnauthorized: false });
    const streams: Promise<void>[] = [];
    let lastStream: number | undefined;
    let told = false;
    session.on('goaway', (code, last) => {
      this.codes.push(code);
      lastStream ??= last;
      told = true;
    });
    session.on('close', () => {
      told = true;
    });
    const ask = async (path: string, lines: number) => {
      const stream = session.request({ ':path': path });
      let couldSend = true;
      stream.on('frameError', () => {
        couldSend = false;
      });
      try {
        const answer = await text(stream);
        if (answer.split('\n').length !== lines) throw new Error(`stream ${path} cut off`);
      } catch (error) {
        // Streams are refused a moment before the session tells why.
        if (!told) await Promise.race([once(session, 'goaway'), pause(1_000)]);
        const wasSent = couldSend && stream.id !== undefined && stream.id <= (lastStream ?? Number.POSITIVE_INFINITY);
        if (stream.rstCode !== http2.constants.NGHTTP2_REFUSED_STREAM || wasSent) throw error;
        this.unsent += 1;
      }
    };
    try {
      await once(session, 'connect');
      while (this.running && !told) {
        for (const stream of [ask('/stream', 11), ask('/', 1)]) {
          stream.catch(() => {}); // looked at below
          streams.push(stream);
        }
        await pause(50);
      }
      const failed = (await Promise.allSettled(streams)).find((stream) => stream.status === 'rejected');
      if (failed) throw failed.reason;
    } finally {
      session.close();
    }
  }
}

const serialize = (buffer: Buffer) => buffer;
const EchoClient = grpc.makeGenericClientConstructor({}, 'test.Echo');

/** Unary calls one after the other, beside a stream that lasts half a second. With the library's defaults. */
export class Grpc extends Client {
  readonly #client: grpc.Client;

  constructor(name: string, port: number) {
    super(name);
    this.#client = new EchoClient(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  }

  override async stop(): Promise<void> {
    await super.stop();
    this.#client.close();
  }

  protected async converse(): Promise<void> {
    const stream = this.#count();
    stream.catch(() => {});
    for (let i = 0; i < 20; i++) {
      if ((await this.#echo(`call ${i}`)) !== `call ${i}`) throw new Error('wrong answer');
      await pause(20);
    }
    if ((await stream) !== 10) throw new Error('stream cut off');
  }

  #echo(word: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const path = '/test.Echo/Echo';
      this.#client.makeUnaryRequest(path, serialize, serialize, Buffer.from(word), (error, value) => {
        if (error) reject(new Error(`unary: ${error.details}`));
        else resolve(String(value));
      });
    });
  }

  #count(): Promise<number> {
    return new Promise((resolve, reject) => {
      let count = 0;
      const path = '/test.Echo/Count';
      const call = this.#client.makeServerStreamRequest(path, serialize, serialize, Buffer.from('count'));
      call.on('data', () => {
        count += 1;
      });
      call.on('error', (error) => reject(new Error(`stream: ${(error as grpc.ServiceError).details}`)));
      call.on('end', () => resolve(count));
    });
  }
}
