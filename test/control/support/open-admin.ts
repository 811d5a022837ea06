/** An admin server over a target that is none, and clients of it. */
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { text } from 'node:stream/consumers';
import { brotliCompressSync } from 'node:zlib';
import type { Test } from 'tap';
import { AdminServer, type AdminServerOptions } from '../../../src/control/admin/admin.js';
import type { AdminTarget, MetricsRequest } from '../../../src/protocol/admin.js';
import type { ControlResult } from '../../../src/protocol/control.js';
import type { PageCommand, PageEvent } from '../../../src/protocol/page.js';
import { freePort } from '../../support/ports.js';
import { statusOf } from './fake-target.js';

export class FakeAdmin implements AdminTarget {
  ok = true;
  readonly probe = (name: string) => ({ ok: this.ok, reason: `asked for ${name}` });
  readonly commands: string[] = [];
  command = async (name: PageCommand, size: string): Promise<ControlResult> => {
    this.commands.push(`${name} ${size}`);
    return name === 'abort'
      ? { ok: false, message: 'failed', reason: 'nothing is under way' }
      : { ok: true, message: 'done', reason: null };
  };
  readonly readers = new Set<(event: PageEvent) => void>();
  status = async () => statusOf('shop');
  follow = (onEvent: (event: PageEvent) => void) => {
    this.readers.add(onEvent);
    onEvent({ event: 'history', data: { at: [1], values: [], marks: [] } });
    return () => this.readers.delete(onEvent);
  };
  metrics = async (_request: MetricsRequest) => ({
    contentType: 'text/plain; version=0.0.4',
    body: Buffer.from('up 1\n'),
  });
}

export const readPage = async (name: string) => brotliCompressSync(`the file ${name}`);
export const NO_TOKENS = { admin: null, metrics: null };

export async function open(
  t: Test,
  more: Partial<AdminServerOptions> = {},
): Promise<{ port: number; target: FakeAdmin; server: AdminServer }> {
  const target = new FakeAdmin();
  const port = await freePort();
  const own = { host: '127.0.0.1', port, names: ['shop.internal'], tokens: NO_TOKENS, target, readPage };
  const server = await AdminServer.open({ ...own, ...more });
  t.teardown(() => server.close());
  return { port, target, server };
}

export async function ask(port: number, path: string, method = 'GET', sent: http.OutgoingHttpHeaders = {}) {
  const request = http.request({ host: '127.0.0.1', port, path, method, headers: sent, agent: false }).end();
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  const { statusCode, headers } = response;
  return { statusCode, headers, text: await text(response) };
}

/** What comes back for raw bytes, until the server has ended the connection. */
export async function raw(port: number, bytes: string): Promise<string> {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(bytes);
  return text(socket).catch(() => '');
}

export const TOKEN = 'a-token-of-some-length';
export const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/** A stream of events that is open: what has come of it, and what ends it. */
export async function listen(t: Test, port: number, headers: http.OutgoingHttpHeaders = {}) {
  const request = http.get({ host: '127.0.0.1', port, path: '/feed', headers, agent: false });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  t.teardown(() => request.destroy());
  response.on('error', () => {});
  let said = '';
  response.setEncoding('utf8').on('data', (more: string) => {
    said += more;
  });
  const heard = async (what: string) => {
    while (!said.includes(what)) await once(response, 'data');
    return said;
  };
  return { request, response, heard };
}
