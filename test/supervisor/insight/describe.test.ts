import t from 'tap';
import type { Config } from '../../../src/config/config.js';
import type { Worker } from '../../../src/core/state/types.js';
import { chooseWorker, describe } from '../../../src/supervisor/insight/describe.js';
import { statusOf } from '../../control/support/fake-target.js';
import { releaseWith } from '../support/release.js';

const worker = (id: number, slot: number, state: Worker['state'] = 'ready', ended = false) =>
  ({ id, slot, state, ended, generation: 2 }) as Worker;

t.test('a worker is meant by its id, or else by its slot', async (t) => {
  const workers = [worker(5, 0, 'draining'), worker(6, 1), worker(7, 0), worker(8, 2, 'ready', true)];
  const choose = (of: number | null) => chooseWorker({ workers }, of).id;
  t.equal(choose(5), 5, 'also one that drains');
  t.equal(choose(0), 7, 'in a slot the one that stays');
  t.equal(choose(1), 6);
  t.equal(choose(null), 7);
  t.throws(() => choose(2), {
    message: 'there is no worker 2, and none in slot 2; workers: 5 in slot 0, 6 in slot 1, 7 in slot 0',
  });
  t.throws(() => choose(8), { code: 'NO_WORKER' });
  t.throws(() => chooseWorker({ workers: [] }, null), { message: 'there is no worker', hint: /wait/ });
  t.equal(chooseWorker({ workers: [worker(9, 0, 'draining')] }, 0).id, 9);
  t.equal(chooseWorker({ workers: [worker(2, 0), worker(1, 1)] }, 2).id, 2, 'an id comes before a slot');
});

const release = {
  ...releaseWith(1),
  config: {
    name: 'shop',
    instanceVar: 'NODE_APP_INSTANCE',
    env: { DB_PASSWORD: 'hush', PORT: '80' },
  } as unknown as Config,
  source: {
    file: '/srv/holdfast.yaml',
    resolved: null,
    origins: {
      settings: [
        { name: 'surge', value: '2', source: 'command line', path: '--surge', isSecret: false },
        { name: 'args', value: '--pin 1234', source: 'command line', path: 'arguments after --', isSecret: true },
        {
          name: 'beforeReload',
          value: 'migrate pg://a:b@c',
          source: '/srv/holdfast.yaml',
          path: 'beforeReload',
          isSecret: false,
        },
        { name: 'health', value: null, source: 'default', path: '', isSecret: false },
      ],
      variables: { PORT: 'envFile .env' },
    },
  },
};
const source = {
  status: statusOf('shop'),
  worker: null,
  release,
  restarts: [
    { atMs: 1, what: 'crashed', slot: 0, reason: 'a' },
    { atMs: 2, what: 'crashed', slot: 1, reason: 'b' },
    { atMs: 3, what: 'reloaded', slot: null, reason: 'c' },
  ],
  inherited: { HOME: '/root', NPM_TOKEN: 'hush', PORT: '1' },
  secrets: false,
} as const;

t.test('of the application: what its owner gives, secrets masked', async (t) => {
  const found = describe(source);
  t.same(
    found.settings.map(({ name, value }) => [name, value]),
    [
      ['surge', '2'],
      ['args', '******'],
      ['beforeReload', 'migrate pg://a:******@c'],
      ['health', null],
    ],
  );
  t.notOk(Object.hasOwn(found.settings[0] ?? {}, 'isSecret'));
  t.same(found.environment, [
    { name: 'DB_PASSWORD', value: '******', source: 'env' },
    { name: 'PORT', value: '80', source: 'envFile .env' },
  ]);
  t.equal(found.restarts.length, 3);
  t.match(found, { worker: null, release: { file: '/srv/holdfast.yaml', folder: '/' } });
  t.notMatch(JSON.stringify(found), /hush|1234/);
});

t.test('of a worker: all that it was started with, and what became of its slot', async (t) => {
  const found = describe({ ...source, worker: worker(4, 1) });
  t.same(
    found.environment.map(({ name, value, source }) => `${name}=${value} ${source}`),
    [
      'DB_PASSWORD=****** env',
      'HOLDFAST_GENERATION=2 holdfast',
      'HOLDFAST_NAME=shop holdfast',
      'HOLDFAST_SLOT=1 holdfast',
      'HOME=/root inherited',
      'NODE_APP_INSTANCE=1 holdfast',
      'NPM_TOKEN=****** inherited',
      'PORT=80 envFile .env',
    ],
  );
  t.same(
    found.restarts.map(({ atMs }) => atMs),
    [2, 3],
  );
  t.match(found, { worker: 4, release: { generation: 2 } });
});

t.test('with secrets where they are asked for', async (t) => {
  const found = describe({ ...source, worker: worker(4, 1), secrets: true });
  t.match(JSON.stringify(found.settings), /--pin 1234.*pg:\/\/a:b@c/);
  t.equal(found.environment.filter(({ value }) => value === 'hush').length, 2);
});
