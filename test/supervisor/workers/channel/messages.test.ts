import t from 'tap';
import { readWorkerMessage } from '../../../../src/supervisor/workers/channel/messages.js';
import { readClusterMessage } from '../../../../src/supervisor/workers/channel/node-messages.js';
import { measuredOf } from '../../../monitor/support/measured.js';

const cmd = 'NODE_HOLDFAST';
const request = { host: '::1', port: 0, family: 6, ipv6Only: true, ordinal: 3 };
const open = { kind: 'http1', ageMs: 12, remote: '127.0.0.1 1234', path: null };

t.test('what a worker says rightly is read as it is', async (t) => {
  for (const message of [
    { type: 'listen', seq: 1, request },
    { type: 'listen', seq: 2, request: { ...request, host: null, family: 4, ipv6Only: false } },
    { type: 'bound', key: '::1 0 3' },
    { type: 'stayed', key: '::1 0 3' },
    { type: 'closed', key: '::1 0 3' },
    { type: 'drained' },
    { type: 'leftover', counts: { http1: 2, websocket: 1 }, named: [open] },
    { type: 'handedOver', handed: 5, refused: 1, takenBack: 0, stayed: { 'it is not plain TCP': 2 } },
    { type: 'linked', link: 3 },
    { type: 'unlinked' },
    { type: 'resigned' },
    { type: 'able', missing: ['adoption: handles have no owner_symbol'], listens: true },
    { type: 'adopted', key: '*:80', slot: 1, ok: false },
    { type: 'health', ok: false, detail: 'GET / answered 500' },
    { type: 'released', key: 'x', slot: 255 },
    { type: 'profiled', seq: 1, ok: true, aside: false, detail: '' },
    { type: 'inspected', seq: 1, url: 'ws://127.0.0.1:1/a', wasOpen: false, detail: '' },
    { type: 'stats', seq: 9, eventLoopDelayMs: 0.5, connections: 1, accepted: 2, requests: 3 },
    {
      ...{ type: 'stats', seq: 9, eventLoopDelayMs: 0, connections: 0, accepted: 0, requests: 0 },
      figures: { answers: 1, serverErrors: 0, latency: [0, 1] },
    },
    { type: 'metrics', seq: 3 },
    { type: 'measured', seq: 3, ...measuredOf() },
    {
      ...{ type: 'measured', seq: 3 },
      ...measuredOf({ application: { version: 1, schema: '[]', values: [null, -1.5], left: 2, failure: 'x' } }),
    },
  ]) {
    t.same(readWorkerMessage({ cmd, ...message }), { cmd, ...message }, message.type);
  }
});

t.test('fields of a later version are left out', async (t) => {
  t.same(readWorkerMessage({ cmd, type: 'drained', since: 5 }), { cmd, type: 'drained' });
});

t.test('what is wrong is told with its place', async (t) => {
  const stats = { type: 'stats', seq: 1, eventLoopDelayMs: 1, connections: 1, accepted: 1, requests: 1 };
  for (const [message, place] of [
    [{ type: 'tea' }, /type "tea" is not known/],
    [{ type: '__proto__' }, /not known/],
    [{ type: 5 }, /type 5 is not known/],
    [{}, /not known/],
    [{ type: 'listen', seq: -1, request }, /^listen\.seq/],
    [{ type: 'listen', seq: 1, request: null }, /^listen\.request must be an object/],
    [{ type: 'listen', seq: 1, request: { ...request, port: 1.5 } }, /^listen\.request\.port/],
    [{ type: 'listen', seq: 1, request: { ...request, family: 5 } }, /^listen\.request\.family/],
    [{ type: 'listen', seq: 1, request: { ...request, host: 'localhost' } }, /^listen\.request\.host must be an IP/],
    [{ type: 'bound', key: 'x'.repeat(4_102) }, /^bound\.key must be a text of at most 4101/],
    [{ type: 'handedOver', handed: -1, refused: 0, takenBack: 0, stayed: {} }, /^handedOver\.handed must be a whole/],
    [{ type: 'handedOver', handed: 0, refused: 0, takenBack: 0, stayed: { x: 1.5 } }, /^handedOver\.stayed\.x must be/],
    [
      {
        type: 'handedOver',
        ...{ handed: 0, refused: 0, takenBack: 0 },
        stayed: Object.fromEntries(Array.from({ length: 33 }, (_none, i) => [`${i}`, 1])),
      },
      /^handedOver\.stayed must have at most 32 names/,
    ],
    [{ type: 'able', missing: [1], listens: true }, /^able\.missing\[0\]/],
    [{ type: 'adopted', key: '*:80', slot: 1, ok: 'yes' }, /^adopted\.ok/],
    [{ type: 'leftover', counts: { http1: 0.5 }, named: [] }, /^leftover\.counts\.http1/],
    [{ type: 'leftover', counts: {}, named: Array(65).fill(open) }, /^leftover\.named must be a list of at most 64/],
    [{ type: 'leftover', counts: {}, named: [open, { ...open, kind: 'x' }] }, /^leftover\.named\[1\]\.kind/],
    [{ type: 'metrics' }, /^metrics\.seq/],
    [{ type: 'measured', seq: 1, ...measuredOf({ statuses: Array(7).fill(0) }) }, /^measured\.statuses/],
    [{ type: 'measured', seq: 1, ...measuredOf({ rssBytes: -1 }) }, /^measured\.rssBytes/],
    [
      {
        ...{ type: 'measured', seq: 1 },
        ...measuredOf({ gc: [{ kind: 'x' as 'minor', count: 1, ms: 1, buckets: [] }] }),
      },
      /^measured\.gc\[0\]\.kind/,
    ],
    [
      {
        ...{ type: 'measured', seq: 1, ...measuredOf() },
        application: { version: 1, values: Array(2_001).fill(0), left: 0, failure: null },
      },
      /^measured\.application\.values must be a list of at most 2000/,
    ],
    [{ type: 'released', key: 'x', slot: 257 }, /^released\.slot/],
    [{ ...stats, eventLoopDelayMs: Number.NaN }, /^stats\.eventLoopDelayMs/],
    [{ ...stats, eventLoopDelayMs: Number.POSITIVE_INFINITY }, /^stats\.eventLoopDelayMs/],
    [{ ...stats, requests: '7' }, /^stats\.requests/],
    [{ ...stats, figures: { answers: 1, serverErrors: 1, latency: Array(129).fill(0) } }, /^stats\.figures\.latency/],
    [{ ...stats, figures: { answers: 1, serverErrors: 1, latency: [null] } }, /^stats\.figures\.latency\[0\]/],
    [{ type: 'health', ok: true, detail: 'x'.repeat(9_000) }, /^health\.detail/],
  ] as const) {
    t.throws(() => readWorkerMessage({ cmd, ...message }), { message: place }, JSON.stringify(message).slice(0, 90));
  }
});

t.test("node:cluster's own messages are read as far as they are answered", async (t) => {
  const query = { act: 'queryServer', seq: 0, index: 0, address: '/run/app.sock', port: -1, addressType: -1, fd: -1 };
  t.same(readClusterMessage(query), { act: 'queryServer', seq: 0, key: '/run/app.sock:-1:-1:-1:0', fd: null });
  t.match(readClusterMessage({ ...query, address: null, port: 53, addressType: 'udp4' }), {
    act: 'queryServer',
    seq: 0,
    fd: null,
  });
  t.match(readClusterMessage({ act: 'queryServer', seq: 0, index: 0, address: null, port: null, fd: 7 }), {
    ...{ act: 'queryServer', seq: 0, fd: 7 },
  });
  t.same(readClusterMessage({ act: 'exitedAfterDisconnect', seq: 4 }), { act: 'exitedAfterDisconnect', seq: 4 });
  t.same(readClusterMessage({ ack: 4, accepted: true }), { ack: 4 });
  t.equal(readClusterMessage({ act: 'online', seq: 0 }), null);
  t.equal(readClusterMessage({ act: 'of a later version' }), null);
  t.throws(() => readClusterMessage({ ...query, address: null }), /must be a path/);
  t.throws(() => readClusterMessage({ ...query, port: 65_536 }), /port/);
  t.throws(() => readClusterMessage({ ...query, addressType: 5 }), /addressType/);
  t.throws(() => readClusterMessage({ ...query, address: 'name', addressType: 4 }), /must be an IP address/);
  t.throws(() => readClusterMessage({ ack: 'x' }), /ack/);
});
