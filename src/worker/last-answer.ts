/**
 * Makes an answer the last one of its connection: `Connection: close`, also where the application gives the header
 * itself, as proxies do that pass their upstream's on.
 */
import type { ServerResponse } from 'node:http';

const NAME = /^connection$/i;
const KEEP_ALIVE = /keep-alive/i;

export function makeLast(response: ServerResponse): void {
  response.shouldKeepAlive = false;
  const { writeHead } = response;
  // Whatever way an answer begins, it comes by here; Node lets the header win over `shouldKeepAlive`.
  response.writeHead = function last(this: ServerResponse, ...args: unknown[]) {
    if (KEEP_ALIVE.test(String(this.getHeader('connection')))) this.setHeader('Connection', 'close');
    const headers = args.at(-1);
    if (typeof headers === 'object' && headers !== null) args[args.length - 1] = closing(headers);
    return Reflect.apply(writeHead, this, args) as ServerResponse;
  } as typeof writeHead;
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
