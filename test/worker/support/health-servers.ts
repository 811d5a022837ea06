/** Servers of every kind that are asked for their health. */
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import { createRequire } from 'node:module';
import type { Server } from 'node:net';
import type { Test } from 'tap';

export type Handler = (request: http.IncomingMessage, response: http.ServerResponse) => void;
type Compat = (request: http2.Http2ServerRequest, response: http2.Http2ServerResponse) => void;
/** As far as it is used here: it comes without types. */
type Express = () => Handler & {
  get(path: string, handler: (request: { ip: string }, response: Answer) => void): void;
  set(name: string, value: string): void;
};

type Answer = http.ServerResponse & { json(value: unknown): void };

export const express = createRequire(import.meta.url)('express') as Express;
/** No certificates: nobody shakes hands. */
export const KINDS: Readonly<Record<string, (handler: Handler) => Server>> = {
  http: (handler) => http.createServer(handler),
  https: (handler) => https.createServer({}, handler),
  h2c: (handler) => http2.createServer(handler as unknown as Compat),
  h2: (handler) => http2.createSecureServer({}, handler as unknown as Compat),
  'h2 beside http/1.1': (handler) => http2.createSecureServer({ allowHTTP1: true }, handler as unknown as Compat),
};

export const PATIENT_MS = 10_000;

export async function listening<S extends Server>(t: Test, server: S): Promise<S> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return server;
}

export const answer =
  (status: number, body: string): Handler =>
  (_request, response) => {
    response.statusCode = status;
    response.end(body);
  };
