/**
 * Makes answers the last ones of their connections: `Connection: close`, also where the application gives the header
 * itself, as proxies do that pass their upstream's on.
 *
 * Clients may send several requests at once (pipelining): only the answer to the last of them may say so, or those
 * behind it would never be answered.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

const NAME = /^connection$/i;
const KEEP_ALIVE = /keep-alive/i;

export class LastAnswers {
  /** Whether the connection goes on elsewhere: its answer is not the last. */
  readonly #goesOn: (socket: Socket) => boolean;
  /** The answer to the newest request of each connection that had one since the drain began. */
  readonly #newest = new WeakMap<Socket, ServerResponse>();

  constructor(goesOn: (socket: Socket) => boolean = () => false) {
    this.#goesOn = goesOn;
  }

  /** A request begins, or its answer is still to come. */
  expect(response: ServerResponse): void {
    const { socket } = response.req;
    this.#newest.set(socket, response);
    const isLast = () => this.#newest.get(socket) === response && !this.#goesOn(socket);
    const { writeHead } = response;
    // Whatever way an answer begins, it comes by here; Node lets the header win over `shouldKeepAlive`.
    response.writeHead = function last(this: ServerResponse, ...args: unknown[]) {
      if (isLast()) {
        this.shouldKeepAlive = false;
        if (KEEP_ALIVE.test(String(this.getHeader('connection')))) this.setHeader('Connection', 'close');
        const headers = args.at(-1);
        if (typeof headers === 'object' && headers !== null) args[args.length - 1] = closing(headers);
      }
      return Reflect.apply(writeHead, this, args) as ServerResponse;
    } as typeof writeHead;
  }
}

/**
 * Has each request answered a turn later. Requests that came in one piece are parsed one after the other, each with its
 * handler in between: only afterwards is it known whether there is another one behind.
 */
export function answerLater(server: Server): void {
  const { emit } = server;
  server.emit = function later(this: Server, event: string, ...args: unknown[]): boolean {
    const request = args[0] as Partial<IncomingMessage> | undefined;
    if (event !== 'request' || request?.httpVersionMajor !== 1) return Reflect.apply(emit, this, [event, ...args]);
    setImmediate(() => Reflect.apply(emit, this, [event, ...args]));
    return true;
  } as typeof emit;
}

/** Headers as `writeHead` takes them: an object, or names and values in turn. Copied, they are the application's. */
function closing(headers: object): object {
  if (Array.isArray(headers)) {
    return headers.map((value: unknown, i) =>
      i % 2 === 1 && NAME.test(String(headers[i - 1])) && KEEP_ALIVE.test(String(value)) ? 'close' : value,
    );
  }
  const entries = Object.entries(headers).map(([name, value]) =>
    NAME.test(name) && KEEP_ALIVE.test(String(value)) ? [name, 'close'] : [name, value],
  );
  return Object.fromEntries(entries);
}
