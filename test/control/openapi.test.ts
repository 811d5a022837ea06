/** config/openapi.yaml and the server say the same: paths, methods, bodies, answers and errors. */
import { Validator } from '@seriousme/openapi-schema-validator';
import t from 'tap';
import { readDescribeOptions } from '../../src/control/options/describe-options.js';
import { readLeaveOptions } from '../../src/control/options/leave-options.js';
import { readInspectOptions, readProfileOptions } from '../../src/control/options/profile-options.js';
import { readReloadOptions } from '../../src/control/options/reload-options.js';
import { readUpgradeOptions } from '../../src/control/options/upgrade-options.js';
import type { ControlResult, Description } from '../../src/protocol/control.js';
import type { SupervisorEvent } from '../../src/protocol/events.js';
import type { SupervisorStatus } from '../../src/protocol/status.js';
import { document, faultsOf, faultsOfAnswer, type Operation, operations, valuesIn } from './support/api.js';
import { deferred, OK, type Opened, open, SNAPSHOT, statusOf } from './support/fake-target.js';
import { type Answer, ask, head } from './support/http.js';

const LARGE = JSON.stringify('x'.repeat(64 * 1024));
const READERS = 16;

/** Everything that may be in a status. */
const FULL: SupervisorStatus = statusOf('shop', {
  release: { folder: '/srv/app', loadedAtMs: 1_767_225_600_000 },
  addresses: [
    { kind: 'tcp', host: '::', port: 80, sockets: [{ slot: 0, weight: 0.5, queueLength: 1, backlog: 511 }] },
    {
      kind: 'unix',
      host: '/run/app.sock',
      port: 0,
      sockets: [{ slot: null, weight: null, queueLength: null, backlog: null }],
    },
    { kind: 'udp', host: '0.0.0.0', port: 53, sockets: [] },
  ],
  rollout: {
    state: 'running',
    reason: null,
    from: 3,
    to: 4,
    canary: {
      ...{ slot: 2, share: 0.05, exact: true, remainingMs: 60_000 },
      figures: {
        canary: { answers: 3, serverErrors: 1, p99Ms: 1.5, loopDelayMs: 0.1 },
        others: { answers: 0, serverErrors: 0, p99Ms: null, loopDelayMs: null },
      },
    },
    trial: { slot: 0, remainingMs: null },
  },
  handover: { on: true, reason: 'tested', handed: 1, refused: 2, takenBack: 3, stayed: { 'a request': 4 } },
  cutOff: { http1: 1, http2: 2, websocket: 3, upgraded: 4, other: 5 },
  upgrade: {
    ...{ possible: false, reason: 'koffi cannot be loaded' },
    last: { id: 'a1', version: '1.2.2', nodeVersion: 'v20.0.0', failure: 'it ended with exit code 1', done: true },
  },
  workers: [
    {
      ...{ id: 9, slot: 0, generation: 3, pid: 4711, state: 'ready', uptimeMs: 1.5, restarts: 1, recycled: 0 },
      ...{ restartReason: 'exit code 1', scriptChanged: true, missing: ['listen'], cpuPercent: 1.5, rssBytes: 1 },
      ...{ eventLoopDelayMs: 0.2, connections: 1, accepted: 2, requests: 3 },
      figures: { answers: 3, serverErrors: 1, latency: [0, 2, 1] },
    },
  ],
});

const DESCRIPTION: Description = {
  ...{ status: FULL, worker: 9, atMs: 1_767_225_600_001 },
  release: {
    ...{
      generation: 3,
      folder: '/srv/app',
      script: '/srv/app/server.js',
      file: null,
      resolved: 'npm start → node server.js',
    },
    ...{ loadedAtMs: 1_767_225_600_000.5, scriptChangedAtMs: 1_767_225_600_000 },
  },
  settings: [{ name: 'logFile', value: null, source: 'default', path: '' }],
  environment: [{ name: 'PORT', value: '80', source: 'env, /srv/holdfast.yaml' }],
  restarts: [
    { atMs: 1_767_225_600_000, what: 'crashed', slot: 0, reason: 'exit code 1' },
    { atMs: 1_767_225_600_000, what: 'reloaded', slot: null, reason: 'generation 3' },
  ],
};
const PROFILE = { of: 'first', what: 'cpu', forMs: 100, file: '/tmp/a.cpuprofile', id: '1 2' };

const LABEL = { worker: 9, slot: 1, generation: 4, pid: 4711 };
type Plain = SupervisorEvent extends infer E ? (E extends SupervisorEvent ? Omit<E, 'id'> : never) : never;
/** One of each; the compiler finds a type that is missing. */
const EVENTS: Readonly<Record<SupervisorEvent['type'], Plain>> = {
  snapshot: SNAPSHOT,
  stateChanged: { type: 'stateChanged', from: 'starting', to: 'restarting' },
  sizeChanged: { type: 'sizeChanged', from: 2, to: 3 },
  workerSpawned: { type: 'workerSpawned', ...LABEL },
  workerReady: { type: 'workerReady', ...LABEL },
  workerUnready: { type: 'workerUnready', ...LABEL },
  workerDraining: { type: 'workerDraining', ...LABEL },
  workerTerminating: { type: 'workerTerminating', ...LABEL },
  workerKilling: { type: 'workerKilling', ...LABEL },
  workerExited: { type: 'workerExited', ...LABEL, code: null, signal: 'SIGKILL', crashed: true },
  rolloutBegun: { type: 'rolloutBegun', from: 3, to: 4, canary: 0.05 },
  rolloutProgress: { type: 'rolloutProgress', from: 3, to: 4, replaced: 1, size: 2 },
  rolloutDone: { type: 'rolloutDone', from: 3, to: 4 },
  rolloutFailed: { type: 'rolloutFailed', from: 3, to: 4, reason: 'exit code 1' },
  rolloutTakenBack: { type: 'rolloutTakenBack', from: 3, to: 4, reason: null },
  crashLoopBegun: { type: 'crashLoopBegun' },
  crashLoopOver: { type: 'crashLoopOver' },
};

t.test('it is OpenAPI 3.1', async (t) => {
  const result = await new Validator().validate(structuredClone(document) as unknown as Record<string, unknown>);
  t.same(result.errors ?? [], []);
  t.equal(result.valid, true);
});

t.test('it has the paths of the server, each with its only method', async (t) => {
  const { server } = await open(t);
  const { text } = await ask(server.path, 'GET', '/v1/nothing');
  const refusal = JSON.parse(text) as { error: string };
  t.same(faultsOf('Refusal', refusal), []);
  t.same(refusal.error.match(/\/v1\/(?!nothing)\w+/g)?.sort(), Object.keys(document.paths).sort());
  for (const operation of operations()) {
    const other = operation.method === 'GET' ? 'POST' : 'GET';
    const answer = await ask(server.path, other, operation.path);
    t.equal(answer.statusCode, 405);
    t.equal(answer.headers.allow, operation.method);
    t.same(await faultsOfAnswer(operation, answer), [], `${other} ${operation.path}`);
  }
});

t.test('every answer that it describes is given, as it is described', async (t) => {
  let count = 0;
  for (const operation of operations()) {
    for (const status of Object.keys(operation.responses)) {
      const opened = await open(t);
      const answer = await provoke(opened, operation, Number(status));
      t.equal(String(answer.statusCode), status, `${operation.method} ${operation.path}`);
      t.same(await faultsOfAnswer(operation, answer), [], `${operation.method} ${operation.path} ${status}`);
      count += 1;
      await opened.server.close();
    }
  }
  t.ok(count > 30, `${count} answers`);
});

t.test('each kind of event and of result is as it is described', async (t) => {
  const { server, target } = await open(t);
  const response = await head(server.path, 'GET', '/v1/events');
  for (const [at, event] of Object.values(EVENTS).entries()) target.tell({ ...event, id: 8 + at } as SupervisorEvent);
  void server.close();
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  const events = (await valuesIn('text/event-stream', text)) as { id: string; event: string; data: object }[];
  t.same(
    events.map(({ event }) => event),
    ['snapshot', ...Object.keys(EVENTS)],
  );
  t.same(
    events.map(({ id }) => Number(id)),
    [...events.keys()].map((at) => 7 + at),
  );
  for (const event of events) t.same(faultsOf('Event', event), [], event.event);
  t.not(faultsOf('Event', { id: '1', event: 'sizeChanged', data: { from: 1, to: 2, by: 'somebody' } }).length, 0);
});

t.test(
  'log lines that have come already are as it describes them, and a query of which it knows nothing is refused',
  async (t) => {
    const { server, target } = await open(t);
    target.recent = ['{"level":"warn","time":"2026-01-02T03:04:05.678Z","msg":"worker crashed","slot":1,"worker":1}'];
    const logs = operations().find(({ path }) => path === '/v1/logs') as Operation;
    const values: Readonly<Record<string, string>> = { follow: 'false', level: 'info' };
    const query = logs.parameters.map((name) => `${name}=${values[name] ?? 1}`).join('&');
    const answer = await ask(server.path, 'GET', `/v1/logs?${query}`);
    t.equal(answer.statusCode, 200);
    t.equal(answer.text.split('\n')[0], '{"type":"logs","recent":1,"logFile":null}');
    t.same(await faultsOfAnswer(logs, answer), []);
    const [refused] = await valuesIn('application/json', (await ask(server.path, 'GET', '/v1/logs?line=1')).text);
    t.match(refused, { code: 'BAD_QUERY' });
    for (const name of logs.parameters) t.match((refused as { error: string }).error, name);
  },
);

t.test('bodies that it describes are taken, and others are refused by both', async (t) => {
  const { server, target } = await open(t);
  const reloads = [
    {},
    { dryRun: true },
    { canary: { share: 0.05, forMs: 1_000 } },
    { dryRun: false, canary: { share: 0.5, forMs: 86_400_000 } },
    { dryRun: true, canary: { share: 0.05, forMs: 1_000 } },
    { canary: { share: 0, forMs: 1_000 } },
    { canary: { share: 0.6, forMs: 1_000 } },
    { canary: { share: 0.05, forMs: 1 } },
    { canary: { share: 0.05 } },
    { dryrun: true },
    [],
    'reload',
  ];
  for (const body of reloads) {
    t.equal(faultsOf('ReloadOptions', body).length === 0, readReloadOptions(body) !== null, JSON.stringify(body));
  }
  for (const body of [
    {},
    { of: 3 },
    { of: 'first', secrets: true },
    { of: -1 },
    { of: 1.5 },
    { of: 'last' },
    { off: 1 },
    [],
  ]) {
    t.equal(faultsOf('DescribeOptions', body).length === 0, readDescribeOptions(body) !== null, JSON.stringify(body));
  }
  for (const part of [{}, { of: 0 }, { what: 'gpu' }, { forMs: 99 }, { forMs: 600_001 }, { file: 'a' }, { id: '1' }]) {
    const body = { ...PROFILE, ...part };
    t.equal(faultsOf('ProfileOptions', body).length === 0, readProfileOptions(body) !== null, JSON.stringify(part));
  }
  for (const body of [{}, { dryRun: true }, { dryRun: 1 }, { dryrun: true }, [], 'leave']) {
    t.equal(faultsOf('LeaveOptions', body).length === 0, readLeaveOptions(body) !== null, JSON.stringify(body));
  }
  for (const body of [{}, { node: '/opt/node' }, { node: 'node' }, { node: 3 }, { nodes: '/opt/node' }, [], 'node']) {
    t.equal(faultsOf('UpgradeOptions', body).length === 0, readUpgradeOptions(body) !== null, JSON.stringify(body));
  }
  for (const body of [{ of: 3 }, { of: 'first' }, { of: '3' }, {}, 3]) {
    t.equal(faultsOf('InspectOptions', body).length === 0, readInspectOptions(body) !== null, JSON.stringify(body));
  }
  for (const change of ['4', '+2', '-1', '', 'abc', '1e3', '+-1', '1234567', 4]) {
    const { statusCode } = await ask(server.path, 'POST', '/v1/scale', JSON.stringify({ change }));
    t.equal(faultsOf('Scale', { change }).length === 0, statusCode === 200, String(change));
  }
  t.same(target.calls, ['scale 4', 'scale +2', 'scale -1']);
});

/** Makes the server give that answer. */
async function provoke({ server, target }: Opened, operation: Operation, status: number): Promise<Answer> {
  const { method, path } = operation;
  const plain = (body?: string) => ask(server.path, method, path, body);
  const good = { '/v1/scale': '{"change":"+1"}', '/v1/profile': JSON.stringify(PROFILE), '/v1/inspect': '{"of":9}' }[
    path
  ];
  switch (status) {
    case 200: {
      target.answerStatus = async () => FULL;
      target.answerDescribe = async () => DESCRIPTION;
      target.perform = async (progress): Promise<ControlResult> => {
        progress({ type: 'progress', message: 'worker ready', fields: { slot: 0, pid: null } });
        return {
          ...OK,
          file: '/run/holdfast/.shop.profile',
          release: { script: '/srv/app/server.js' },
          changes: [{ what: 'option', name: 'surge', from: null, to: '2' }],
        };
      };
      if (method === 'POST' && path !== '/v1/stop' && path !== '/v1/leave') return plain(good);
      if (path === '/v1/status') return plain();
      return ended({ server, target } as Opened, operation);
    }
    case 400:
      return method === 'GET' ? ask(server.path, method, `${path}?lines=many`) : plain('{"change":');
    case 405:
      return ask(server.path, method === 'GET' ? 'POST' : 'GET', path);
    case 413:
      return plain(LARGE);
    case 422:
      return plain('{"of":7}');
    case 500:
      target.answerStatus = () => Promise.reject(new Error('disk full'));
      target.answerDescribe = () => Promise.reject(new Error('disk full'));
      return plain();
    case 503: {
      for (let reader = 0; reader < READERS; reader++) await head(server.path, method, path);
      return plain();
    }
  }
  throw new Error(`nobody knows how to provoke ${status}`);
}

/** An answer that goes on until the server is closed. */
async function ended({ server, target }: Opened, { method, path }: Operation): Promise<Answer> {
  const following = deferred();
  target.onFollow = following.resolve;
  const response = await head(server.path, method, path);
  if (path === '/v1/logs') await following.promise;
  target.log('{"level":"info","time":"2026-01-02T03:04:05.678Z","name":"shop","msg":"worker ready","slot":1}');
  void server.close();
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  return { statusCode: response.statusCode ?? 0, headers: response.headers, text };
}
