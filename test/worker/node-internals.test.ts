/**
 * What workers use of Node beneath its public interface, each by its name and on the real thing: a version of Node in which
 * one is missing or has another meaning breaks a test here, and not a service.
 */
import { spawn } from 'node:child_process';
import cluster from 'node:cluster';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { internals } from '../../dist/worker/node/handle.js';
import { connectionsOf, type Parser, tryOut } from '../../dist/worker/node/http.js';
import { IPC, type PipeHandle, seeRequestClass } from '../../dist/worker/node/pipe.js';
import { type ChannelPipe, channelPipe, connectChannel, type Link, watchEnd } from '../../dist/worker/node/relink.js';
import type { MovableSocket } from '../../dist/worker/node/socket.js';
import { OWNER, ownerOf, symbolOf } from '../../dist/worker/node/symbols.js';
import { bindAnother, isUdpHandle, stateOf } from '../../dist/worker/node/udp.js';

async function listening(t: Test, server: net.Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

function methods(t: Test, object: object, names: readonly string[]): void {
  for (const name of names) t.type((object as Record<string, unknown>)[name], 'function', name);
}

t.test('cluster._getServer: where a listen of a worker passes by', async (t) => {
  // In a primary there is none: a worker's own module has it.
  t.equal((cluster as unknown as { _getServer?: unknown })._getServer, undefined);
  const script = 'process.send(typeof require("node:cluster")._getServer)';
  const env = { ...process.env, NODE_UNIQUE_ID: '1' };
  const child = spawn(process.execPath, ['-e', script], { env, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  t.teardown(() => child.kill('SIGKILL'));
  const [type] = await once(child, 'message');
  t.equal(type, 'function');
});

t.test('a server’s handle: _handle, its methods, onconnection, owner_symbol, _connections', async (t) => {
  const server = net.createServer();
  await listening(t, server);
  const { _handle: handle, _connections: count } = internals(server);
  if (handle === null) throw new Error('no _handle');
  methods(t, handle, ['onconnection', 'listen', 'close', 'getsockname', 'ref', 'unref', 'hasRef']);
  t.equal(count, 0);
  t.type(symbolOf(handle, OWNER), 'symbol');
  t.equal(ownerOf(handle), server);
});

t.test('a connection of HTTP/1.1: its handle, its parser, and the answer that is under way', async (t) => {
  const seen = await new Promise<{ socket: MovableSocket; answer: http.ServerResponse }>((resolve, reject) => {
    const server = http.createServer(({ socket }, answer) => {
      resolve({ socket: socket as MovableSocket, answer });
      t.equal((socket as MovableSocket)._httpMessage, answer, '_httpMessage');
      answer.end();
    });
    listening(t, server).then(
      (port) => http.get({ port, host: '127.0.0.1', agent: false }).on('error', reject),
      reject,
    );
  });
  const { socket } = seen;
  const handle = socket._handle;
  if (!handle) throw new Error('no _handle');
  t.equal(handle.constructor.name, 'TCP');
  methods(t, handle, ['readStart', 'readStop', 'onread', 'close']);
  t.type(handle.reading, 'boolean', 'reading');
  t.type(handle.bytesRead, 'number', 'bytesRead');
  t.type(handle.bytesWritten, 'number', 'bytesWritten');
  t.type(handle.writeQueueSize, 'number', 'writeQueueSize');
  t.equal(ownerOf(handle), socket);
  const parser = socket.parser as Parser;
  t.equal(parser._consumed, true, '_consumed: the parser reads from the handle itself');
  t.ok(Array.isArray(parser._headers), '_headers');
  methods(t, parser, ['onIncoming', 'execute', 'unconsume']);
  t.type(parser.constructor.kOnHeadersComplete, 'number');
  t.type(parser.constructor.kOnMessageComplete, 'number');
  const list = socket.server && connectionsOf(socket.server);
  t.ok(list, 'http.server.connections');
  t.ok(list?.all().includes(parser));
  t.equal(tryOut(), null, 'all that together, as workers try it');
});

t.test('process._getActiveHandles: the sockets that are open', async (t) => {
  const accepted: net.Socket[] = [];
  const server = net.createServer((socket) => accepted.push(socket.on('error', () => {})));
  const port = await listening(t, server);
  const client = net.connect(port, '127.0.0.1');
  t.teardown(() => client.destroy());
  await once(server, 'connection');
  const handles = (process as unknown as { _getActiveHandles(): unknown[] })._getActiveHandles();
  t.ok(accepted.every((socket) => handles.includes(socket)));
  for (const socket of accepted) t.equal((socket as MovableSocket).server, server, 'socket.server');
  for (const socket of accepted) socket.destroy();
});

t.test('a pipe: its class, what it writes with, and the class of its write requests', async (t) => {
  const server = net.createServer((socket) => socket.resume().on('error', () => {}));
  const dir = mkdtempSync(path.join(tmpdir(), 'hf-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  await new Promise<void>((resolve) => server.listen(path.join(dir, 's'), resolve));
  t.teardown(() => server.close());
  const client = net.connect(path.join(dir, 's'));
  t.teardown(() => client.destroy());
  await once(client, 'connect');
  const pipe = (client as unknown as { _handle: PipeHandle })._handle;
  methods(t, pipe, ['open', 'close', 'writeLatin1String', 'writeUtf8String']);
  t.type(pipe.fd, 'number');
  t.ok(new pipe.constructor(IPC), 'a pipe that carries handles');
  const child = spawn(process.execPath, ['-e', 'process.on("message", () => {})'], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const Request = seeRequestClass(pipe, () => void child.send('x'));
  if (Request === undefined) throw new Error('no class');
  t.equal(Request.name, 'WriteWrap');
});

t.test('a session of HTTP/2: the socket beneath it and its handle', async (t) => {
  const server = http2.createServer((_request, response) => void response.end());
  const port = await listening(t, server);
  const client = http2.connect(`http://127.0.0.1:${port}`);
  t.teardown(() => client.destroy());
  const [session] = (await once(server, 'session')) as [http2.ServerHttp2Session];
  t.teardown(() => session.destroy());
  const handle = (session.socket as unknown as { _handle?: { fd?: number; writeQueueSize?: number } })._handle;
  t.equal(handle?.constructor.name, 'TCP');
  t.ok((handle?.fd ?? -1) >= 0, 'fd');
  t.type(handle?.writeQueueSize, 'number');
  t.type(handle && ownerOf<net.Socket>(handle)?.destroy, 'function');
});

t.test('Server._listen2: where a server binds, with the handle that it has been given, or with none', async (t) => {
  const prototype = net.Server.prototype as unknown as { _listen2(...args: unknown[]): void };
  const { _listen2: bind } = prototype;
  const seen: unknown[] = [];
  prototype._listen2 = function see(this: { _handle: unknown }, ...args: unknown[]) {
    seen.push([this._handle, args[0], args[2]]);
    bind.apply(this, args);
  };
  t.teardown(() => {
    prototype._listen2 = bind;
  });
  await listening(t, net.createServer());
  t.same(seen, [[null, '127.0.0.1', 4]]);
});

t.test('a UDP socket keeps its handle in its state, and another of its kind can be bound', async (t) => {
  for (const [type, address] of [
    ['udp4', '127.0.0.1'],
    ['udp6', '::1'],
  ] as const) {
    const socket = dgram.createSocket(type);
    t.teardown(() => socket.close());
    const handle = stateOf(socket)?.handle;
    t.ok(isUdpHandle(handle), type);
    methods(t, handle ?? {}, [
      'recvStart',
      'bind',
      'bind6',
      'close',
      'connect',
      'connect6',
      'addMembership',
      'setMulticastTTL',
      'hasRef',
    ]);
    const another = bindAnother(socket, { address, port: 0, flags: 0 });
    t.ok(isUdpHandle(another), 'bound');
    if (isUdpHandle(another)) another.close();
    t.type(
      bindAnother(socket, { address: type === 'udp4' ? '192.0.2.1' : '2001:db8::1', port: 0, flags: 0 }),
      'number',
    );
  }
});

t.test('a channel to a parent: kChannelHandle, onread, _send and _disconnect', async (t) => {
  const script = `const { channelPipe } = require(${JSON.stringify(fileURLToPath(new URL('../../dist/worker/node/relink.js', import.meta.url)))});
    process.send([typeof channelPipe(process)?.onread, typeof process._send, typeof process._disconnect, process.channel !== undefined]);`;
  const child = spawn(process.execPath, ['-e', script], { env: {}, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  t.teardown(() => child.kill('SIGKILL'));
  const [found] = await once(child, 'message');
  t.same(found, ['function', 'function', 'function', true]);
});

t.test('ChildProcess.prototype.spawn: a channel over a unix socket, with handles both ways', async (t) => {
  const dir = mkdtempSync(path.join(tmpdir(), 'hf-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const at = path.join(dir, 's');
  t.match(await new Promise((resolve) => connectChannel(at, () => {}, resolve)), { code: 'ENOENT' });
  const server = net.createServer().listen(at);
  t.teardown(() => server.close());
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[net.Socket]>;
  const [link, pipe] = await new Promise<[Link, ChannelPipe]>((resolve, reject) => {
    connectChannel(at, (...made) => resolve(made), reject);
  });
  const [peer] = await accepted;
  t.equal(channelPipe(link), pipe);
  let ends = 0;
  const ended = new Promise<void>((resolve) => {
    watchEnd(pipe, () => {
      ends += 1;
      resolve();
    });
  });
  link.once('disconnect', () => t.fail('nobody else is told'));
  pipe.readStart();
  const heard = [once(link, 'message'), once(link, 'internalMessage')];
  peer.write('{"a":1}\n{"cmd":"NODE_HOLDFAST"}\n');
  t.match(await Promise.all(heard), [[{ a: 1 }], [{ cmd: 'NODE_HOLDFAST' }]]);
  const sent = new Promise((resolve) => link._send({ b: 2 }, undefined, {}, resolve));
  const [line] = (await once(peer, 'data')) as [Buffer];
  t.equal(String(line), '{"b":2}\n');
  t.equal(await sent, null);
  t.type(link.channel.ref, 'function');
  t.type(link.channel.unref, 'function');
  peer.end();
  await ended;
  t.equal(ends, 1);
});
