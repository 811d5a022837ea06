import { createServer as createPlain } from 'node:http';
import { createSecureServer } from 'node:http2';
import https from 'node:https';
import type { Server } from 'node:net';
import tls from 'node:tls';
import t from 'tap';
import { Tickets } from '../../dist/worker/tickets.js';

const key = (letter: string) => Buffer.alloc(48, letter);
const text = (letter: string) => key(letter).toString('base64');
const keyOf = (server: Server) => (server as tls.Server).getTicketKeys();

t.test('servers of TLS get the key, of every kind, and the next one as well', async (t) => {
  const tickets = new Tickets();
  tickets.renew(text('a'));
  for (const server of [tls.createServer(), https.createServer(), createSecureServer()]) {
    tickets.watch(server);
    t.same(keyOf(server), key('a'));
    tickets.renew(text('b'));
    t.same(keyOf(server), key('b'));
    tickets.renew(text('a'));
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

t.test('others are left alone, and without a key everybody is', async (t) => {
  const tickets = new Tickets();
  const own = tls.createServer();
  const before = keyOf(own);
  tickets.watch(own);
  t.same(keyOf(own), before);
  tickets.renew(text('a'));
  t.doesNotThrow(() => tickets.watch(createPlain()));
  t.doesNotThrow(() => tickets.renew('too short'), 'a key that Node refuses changes nothing');
});
