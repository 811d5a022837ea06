import { once } from 'node:events';
import { createServer as createPlain } from 'node:http';
import { createSecureServer } from 'node:http2';
import https from 'node:https';
import type { Server } from 'node:net';
import tls from 'node:tls';
import t, { type Test } from 'tap';
import { Tickets } from '../../../dist/worker/connections/tickets.js';

/** As Node has it, before any server is watched. */
const original = tls.Server.prototype.setSecureContext;
const key = (letter: string) => Buffer.alloc(48, letter);
const text = (letter: string) => key(letter).toString('base64');
const keyOf = (server: Server) => (server as tls.Server).getTicketKeys();

/** A worker's view of the supervisor's key: what it makes of it for this server. */
function given(server: Server, letter: string): Buffer {
  const tickets = new Tickets();
  tickets.renew(text(letter));
  tickets.watch(server);
  return Buffer.from(keyOf(server));
}

async function listening(t: Test): Promise<tls.Server> {
  const server = tls.createServer().listen(0, '127.0.0.1');
  t.teardown(() => server.close());
  await once(server, 'listening');
  return server;
}

t.test('servers of TLS get the same key in every worker, of every kind, and the next one as well', async (t) => {
  for (const create of [() => tls.createServer(), () => https.createServer(), () => createSecureServer()]) {
    const [one, other] = [create(), create()];
    const tickets = new Tickets();
    tickets.renew(text('a'));
    tickets.watch(one);
    const first = keyOf(one);
    t.same(first, given(other, 'a'));
    tickets.renew(text('b'));
    t.notSame(keyOf(one), first);
    t.same(keyOf(one), given(create(), 'b'));
  }
});

t.test('two addresses have two keys', async (t) => {
  t.notSame(given(await listening(t), 'a'), given(await listening(t), 'a'));
});

t.test('a server that asks for client certificates keeps a key of its own', async (t) => {
  for (const rejectUnauthorized of [true, false]) {
    const server = tls.createServer({ requestCert: true, rejectUnauthorized });
    const before = keyOf(server);
    t.same(given(server, 'a'), before);
  }
});

t.test('keys that the application has chosen stay', async (t) => {
  const tickets = new Tickets();
  tickets.renew(text('a'));
  const byOption = tls.createServer({ ticketKeys: key('x') });
  tickets.watch(byOption);
  const byCall = tls.createServer();
  tickets.watch(byCall);
  byCall.setTicketKeys(key('y'));
  tickets.renew(text('b'));
  tickets.renew(text('c'));
  t.same(keyOf(byOption), key('x'));
  t.same(keyOf(byCall), key('y'));
});

t.test('a renewed certificate does not cost the key, unless the application had its own', async (t) => {
  const tickets = new Tickets();
  tickets.renew(text('a'));
  const [ours, theirs, unknown] = [tls.createServer(), tls.createServer(), tls.createServer()];
  for (const server of [ours, theirs]) tickets.watch(server);
  const before = keyOf(ours);
  theirs.setTicketKeys(key('y'));
  for (const server of [ours, theirs, unknown]) server.setSecureContext({});
  t.same(keyOf(ours), before);
  for (const server of [theirs, unknown]) t.notSame(keyOf(server), before);
  ours.setTicketKeys(key('z'));
  tickets.renew(text('b'));
  t.same(keyOf(ours), key('z'));
});

t.test('the application sees nothing of it on its server', async (t) => {
  const server = tls.createServer();
  const visible = () => ({
    properties: Reflect.ownKeys(server),
    context: (server as unknown as { sessionIdContext: string }).sessionIdContext,
  });
  const before = visible();
  given(server, 'a');
  t.same(visible(), before);
  const { setSecureContext } = server;
  t.not(setSecureContext, original, 'the method of the prototype is another');
  t.same([setSecureContext.name, setSecureContext.length], [original.name, original.length]);
});

t.test('others are left alone, and without a key everybody is', async (t) => {
  const tickets = new Tickets();
  const own = tls.createServer();
  const before = keyOf(own);
  tickets.watch(own);
  t.same(keyOf(own), before);
  tickets.renew('too short');
  tickets.watch(own);
  t.same(keyOf(own), before, 'what is no key changes nothing');
  tickets.renew(text('a'));
  t.doesNotThrow(() => tickets.watch(createPlain()));
});
