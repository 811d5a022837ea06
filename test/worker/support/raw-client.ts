/** An HTTP/1.1 client that writes what it is told and reads answers one by one; never sends anything again. */
import { once } from 'node:events';
import net from 'node:net';

export interface Answer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
  /** Of the worker that answered. */
  readonly pid: number;
  /** It says that it is the last one. */
  readonly last: boolean;
}

export class RawClient {
  readonly socket: net.Socket;
  /** What happened to the connection, in order: end, close, codes of errors. */
  readonly events: string[] = [];
  data = '';
  #wake: () => void = () => {};

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => {
      this.data += chunk.toString('latin1');
      this.#wake();
    });
    const note = (event: string) => {
      this.events.push(event);
      this.#wake();
    };
    socket.on('end', () => note('end'));
    socket.on('close', () => note('close'));
    socket.on('error', (error: NodeJS.ErrnoException) => note(error.code ?? error.message));
  }

  static async open(port: number): Promise<RawClient> {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const client = new RawClient(socket);
    await once(socket, 'connect');
    return client;
  }

  write(text: string): void {
    this.socket.write(text, 'latin1');
  }

  post(path = '/echo', body = 'hello', headers = ''): void {
    this.write(`POST ${path} HTTP/1.1\r\nHost: x\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`);
  }

  /** The next answer. @throws when the connection ends before it */
  answer(): Promise<Answer> {
    return this.until(() => {
      const answer = parse(this.data);
      if (answer !== undefined) this.data = this.data.slice(answer.length);
      return answer;
    });
  }

  line(): Promise<string> {
    return this.until(() => {
      const end = this.data.indexOf('\n');
      if (end < 0) return undefined;
      const line = this.data.slice(0, end);
      this.data = this.data.slice(end + 1);
      return line;
    });
  }

  /** Resolves with the first value that is not undefined, looked for whenever something has come. */
  async until<T>(find: () => T | undefined): Promise<T> {
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      if (this.events.length > 0) throw new Error(`the connection has ended: ${this.events.join(', ')} ${this.data}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Resolves when that has happened to the connection. */
  async happened(event: string): Promise<void> {
    while (!this.events.includes(event)) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

function parse(data: string): (Answer & { length: number }) | undefined {
  const headEnd = data.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const head = data.slice(0, headEnd + 4);
  const status = Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]);
  const pid = Number(/x-worker: (\d+)/i.exec(head)?.[1]);
  const last = /connection: close/i.test(head);
  const about = { status, head, pid, last };
  if (status < 200 || status === 408) return { ...about, body: '', length: head.length };
  const length = /content-length: (\d+)/i.exec(head)?.[1];
  if (length !== undefined) {
    const end = head.length + Number(length);
    return data.length < end ? undefined : { ...about, body: data.slice(head.length, end), length: end };
  }
  const end = data.indexOf('0\r\n\r\n', head.length);
  return end < 0 ? undefined : { ...about, body: data.slice(head.length, end), length: end + 5 };
}
