import t from 'tap';
import { isSupervisorMessage, mayHaveHandle } from '../../../dist/worker/channel/messages.js';

const drain = {
  type: 'drain',
  emptyQueue: false,
  windowMs: 30_000,
  spreadMs: 5_000,
  reason: 'replaced',
  recipients: true,
  sayShutdown: 'late',
};

t.test('what the supervisor says is understood', async (t) => {
  for (const message of [
    { type: 'socket', seq: 1, key: '127.0.0.1:80', errno: 0 },
    { type: 'socket', seq: 1, key: '', errno: -98, hold: true },
    { type: 'accept' },
    { type: 'link', link: 1, role: 'take', addresses: ['*:3000'] },
    { type: 'adopt', key: 'x', slot: 1 },
    { type: 'release', key: 'x', slot: 1 },
    drain,
    { type: 'ticketKey', key: 'AAAA' },
    { type: 'terminate' },
    { type: 'release', slot: 0, key: `unix:/${'x'.repeat(4_095)}` },
    { type: 'health', path: '/healthz', timeoutMs: 500 },
    { type: 'stats', seq: 4, sentAtMs: 12.5, figures: true },
    { type: 'profile', seq: 1, what: 'cpu', forMs: 10_000, file: '/a', id: '1 2', spare: '/b' },
    { type: 'endProfile', seq: 1 },
    { type: 'inspect', seq: 2 },
    { type: 'measure', seq: 2, application: true, known: 0 },
    { type: 'measure', seq: 2, resolutionMs: 400, gcWeight: 4, application: true, known: 0 },
    { type: 'metrics', seq: 2, contentType: 'text/plain', text: 'x'.repeat(5_000), reason: '' },
    { type: 'stats', seq: 4, sentAtMs: 12.5, since: 'a field of a later version' },
  ]) {
    t.ok(isSupervisorMessage(message), JSON.stringify(message));
  }
});

t.test('what it would not say is not', async (t) => {
  for (const message of [
    {},
    { type: 'of a later version' },
    { type: 'toString' },
    { type: 5 },
    { type: 'socket', seq: 1, errno: 0 },
    { type: 'socket', seq: 1, key: 'x', errno: '0' },
    { type: 'adopt', key: 'x', slot: -1 },
    { ...drain, windowMs: Number.POSITIVE_INFINITY },
    { ...drain, windowMs: 2 ** 40 },
    { ...drain, spreadMs: Number.NaN },
    { ...drain, reason: 'tea' },
    { type: 'release', slot: 0, key: `unix:/${'x'.repeat(4_096)}` },
    { type: 'health', path: '/'.repeat(2_000), timeoutMs: 1 },
    { type: 'stats', seq: 4 },
    { type: 'measure', seq: 2, application: true },
    { type: 'measure', seq: 2, resolutionMs: 0, application: true, known: 0 },
    { type: 'measure', seq: 2, resolutionMs: 1e9, application: true, known: 0 },
    { type: 'measure', seq: 2, gcWeight: -1, application: true, known: 0 },
    { type: 'measure', seq: 2, gcWeight: 0.5, application: true, known: 0 },
    { type: 'metrics', seq: 2, contentType: 'text/plain', text: 5, reason: '' },
    { type: 'profile', seq: 1, what: 'tea', forMs: 10_000, file: '/a', id: '1 2', spare: '/b' },
    { type: 'profile', seq: 1, what: 'cpu', forMs: -1, file: '/a', id: '1 2', spare: '/b' },
    { type: 'endProfile' },
    { type: 'inspect' },
    { type: 'ticketKey', key: {} },
  ]) {
    t.notOk(isSupervisorMessage(message), JSON.stringify(message).slice(0, 80));
  }
});

t.test('a handle comes with the messages that are about one', async (t) => {
  t.same(
    ['socket', 'adopt', 'drain', 'toString'].map((type) => mayHaveHandle({ type })),
    [true, true, false, false],
  );
});
