/** HTTP/1.1 as real clients speak it, and as few do: each a conversation that a drain may come into. */
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { EventSource } from 'eventsource';
import { PortClient } from './client.js';

const host = '127.0.0.1';
const GET = `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`;

abstract class HttpClient extends PortClient {
  protected async answerTo(request: http.ClientRequest): Promise<string> {
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    const body = await text(response);
    if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}`);
    if (!response.complete) throw new Error('cut off');
    return body;
  }
}

/** So long a client goes on with its bursts: on a busy machine they are fewer, not longer. */
const BURSTS_MS = 3_000;

/** Three requests in one piece, again and again over one connection. No answer may say that it was the last. */
export class Pipelining extends HttpClient {
  protected async converse(): Promise<void> {
    const socket = net.connect(this.port, host);
    let heard = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      heard += chunk;
    });
    const closed = once(socket, 'close');
    try {
      const until = performance.now() + BURSTS_MS;
      for (let burst = 1; this.running && performance.now() < until; burst++) {
        socket.write(GET.repeat(3));
        while (answers(heard) < burst * 3) await Promise.race([once(socket, 'data'), closed.then(cutOff)]);
        if (/connection: close/i.test(heard)) throw new Error('told to close');
        await pause(30);
      }
    } finally {
      socket.destroy();
    }
    function cutOff(): never {
      throw new Error(`${answers(heard) % 3} of 3 answers`);
    }
  }
}

function answers(heard: string): number {
  return heard.split('HTTP/1.1 200').length - 1;
}

/** Sends half a head, thinks for a while, and sends the rest. */
export class HalfHead extends HttpClient {
  protected async converse(): Promise<void> {
    const socket = net.connect(this.port, host);
    const half = GET.length / 2;
    socket.write(GET.slice(0, half));
    await pause(300);
    socket.write(`${GET.slice(half, -2)}Connection: close\r\n\r\n`);
    if (answers(await text(socket)) !== 1) throw new Error('no answer');
  }
}

/** A body in pieces, over half a second. */
export class Upload extends HttpClient {
  protected async converse(): Promise<void> {
    const request = http.request({ host, port: this.port, method: 'POST', agent: false });
    const answer = this.answerTo(request);
    for (let i = 0; i < 10; i++) {
      request.write('x'.repeat(1_000));
      await pause(50);
    }
    request.end();
    if (JSON.parse(await answer).received !== 10_000) throw new Error('body cut off');
  }
}

/** An answer in pieces, over half a second, to which the application gives `Connection: keep-alive` itself. */
export class Download extends HttpClient {
  protected async converse(): Promise<void> {
    const body = await this.answerTo(http.get({ host, port: this.port, path: '/stream', agent: false }));
    if (body.split('\n').length !== 11) throw new Error('answer cut off');
  }
}

/** Waits to be told to go on before it sends its body. */
export class ExpectContinue extends HttpClient {
  protected async converse(): Promise<void> {
    const headers = { expect: '100-continue', 'content-length': 5 };
    const request = http.request({ host, port: this.port, method: 'POST', agent: false, headers });
    const answer = this.answerTo(request);
    request.flushHeaders();
    await Promise.race([once(request, 'continue'), answer]);
    await pause(20);
    request.end('hello');
    if (JSON.parse(await answer).received !== 5) throw new Error('body cut off');
    await pause(20);
  }
}

/** Asks, is silent for longer than a reload takes, and asks again over the same connection. */
export class Silent extends HttpClient {
  protected async converse(): Promise<void> {
    const socket = net.connect(this.port, host).setEncoding('latin1');
    const closed = once(socket, 'close').then(() => {
      throw new Error('closed');
    });
    closed.catch(() => {});
    try {
      for (let asked = 0; asked < 2; asked++) {
        socket.write(GET);
        const [answer] = (await Promise.race([once(socket, 'data'), closed])) as [string];
        if (!answer.startsWith('HTTP/1.1 200') || /connection: close/i.test(answer)) throw new Error('told to close');
        await Promise.race([pause(700), closed]);
      }
    } finally {
      socket.destroy();
    }
  }
}

/** The same by a library that connects again by itself. */
export class EventListener extends HttpClient {
  readonly #source: EventSource;
  opened = 0;

  constructor(name: string, port: number) {
    super(name, port);
    this.#source = new EventSource(`http://${host}:${port}/events`);
    this.#source.addEventListener('open', () => {
      this.opened += 1;
    });
    // One that gives up is closed; else it only says that it connects again.
    this.#source.addEventListener('error', ({ message }) => {
      if (this.#source.readyState === this.#source.CLOSED) this.fail(new Error(message ?? 'gave up'));
    });
  }

  /** Until it has been connected for the nth time. */
  async openedFor(times: number): Promise<void> {
    while (this.opened < times) await once(this.#source, 'open');
  }

  override async stop(): Promise<void> {
    this.#source.close();
    await super.stop();
  }

  /** An event that comes. */
  protected async converse(): Promise<void> {
    const ended = new AbortController();
    this.endless.add({ destroy: () => ended.abort() });
    await new Promise<void>((resolve) => {
      this.#source.addEventListener('message', () => resolve(), { once: true, signal: ended.signal });
      ended.signal.addEventListener('abort', () => resolve());
    });
  }
}

/** An endless answer, which the application ends when its worker drains. */
export class Events extends HttpClient {
  protected async converse(): Promise<void> {
    const request = http.get({ host, port: this.port, path: '/events', agent: false });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    this.endless.add(response.socket);
    // Ended by the test, not by the application.
    const heard = await text(response).catch((error: unknown) => (this.running ? Promise.reject(error) : ''));
    this.endless.delete(response.socket);
    if (this.running && !(response.complete && heard.includes('hello'))) throw new Error('cut off');
  }
}
