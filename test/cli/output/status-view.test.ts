import { stripVTControlCharacters } from 'node:util';
import t from 'tap';
import { describeSupervisor, listOfSupervisors } from '../../../src/cli/output/status-view.js';
import type { WorkerStatus } from '../../../src/protocol/status.js';
import { statusOf } from '../../control/support/fake-target.js';

const WORKER: WorkerStatus = {
  id: 7,
  slot: 0,
  generation: 3,
  pid: 4242,
  state: 'ready',
  uptimeMs: 62_000,
  restarts: 1,
  recycled: 0,
  restartReason: null,
  scriptChanged: false,
  missing: [],
  cpuPercent: 1.5,
  rssBytes: 60 * 1024 * 1024,
  eventLoopDelayMs: 1.25,
  connections: 12,
  accepted: 345,
  requests: 90_210,
};

const STARTING: WorkerStatus = {
  ...WORKER,
  id: 12,
  slot: 10,
  pid: null,
  state: 'starting',
  uptimeMs: 40,
  cpuPercent: null,
  rssBytes: null,
  eventLoopDelayMs: null,
  connections: null,
  accepted: null,
  requests: null,
};

t.test('one supervisor: what holds for all of it, then its workers', async (t) => {
  const status = statusOf('shop', {
    pid: 99,
    addresses: [
      { kind: 'tcp', host: '0.0.0.0', port: 80, sockets: [{ slot: 0, weight: 64, queueLength: 2, backlog: 511 }] },
      { kind: 'tcp', host: '::', port: 81, sockets: [{ slot: 0, weight: 64, queueLength: 1, backlog: 511 }] },
    ],
    rollout: {
      state: 'rolledBack',
      reason: 'worker 9 did not become ready',
      from: 2,
      to: 3,
      canary: null,
      trial: null,
    },
    workers: [WORKER, STARTING],
  });
  t.equal(
    describeSupervisor(status, { colour: false }),
    `shop  pid 99  running  generation 3  1 of 2 workers ready  up 1m 5s
  script       /srv/app/server.js
  listens on   0.0.0.0:80, [::]:81
  listen mode  reuseport: the kernel balances
  steering     off: not asked for
  rollout      rolled back (generation 2 to 3): worker 9 did not become ready
  supervisor   holdfast 1.2.3, node v20.0.0, cpu 0.5%, mem 50.0M

slot  worker  gen   pid  state     uptime  restarts   cpu    mem  loop delay  weight  queue  conns  accepted   reqs
   0       7    3  4242  ready      1m 2s         1  1.5%  60.0M       1.3ms      64      3     12       345  90210
  10      12    3     -  starting    40ms         1     -      -           -       -      -      -         -      -
`,
  );
});

t.test('it says so when nothing listens, no worker lives, and workers crash', async (t) => {
  const text = describeSupervisor(statusOf('shop', { addresses: [], crashLoop: true, size: 1 }), { colour: false });
  t.match(text, /listens on +-\n/);
  t.match(text, /0 of 1 worker ready/);
  t.match(text, /crash loop/);
  t.match(text, /no workers/);
  t.match(text, /rollout +none/);
});

t.test('colours change no letter', async (t) => {
  const status = statusOf('shop', { workers: [WORKER, STARTING, { ...WORKER, state: 'killing' }] });
  const coloured = describeSupervisor(status, { colour: true });
  t.not(coloured, describeSupervisor(status, { colour: false }));
  t.equal(stripVTControlCharacters(coloured), describeSupervisor(status, { colour: false }));
});

t.test('a canary, why workers were replaced, and a script that has changed are told', async (t) => {
  const canary = { slot: 2, share: 0.05, exact: false, remainingMs: 61_000, figures: null };
  const rollout = { state: 'running', reason: null, from: 2, to: 3, canary, trial: null } as const;
  const worker = { ...WORKER, restarts: 2, recycled: 3, restartReason: 'boom\nat line 1', scriptChanged: true };
  const text = describeSupervisor(statusOf('shop', { rollout, workers: [worker] }), { colour: false });
  t.match(
    text,
    /rollout +running \(generation 2 to 3\), canary in slot 2 with about 5% of new connections, 1m 1s left\n/,
  );
  t.match(text, /replaced +slot 0, 2 times after a crash, 3 times recycled, the last time: boom at line 1\n/);
  t.match(text, /script changed +since generation 3 was loaded: worker 7 runs the new file\n/);
});

t.test('a reason with line ends stays on its line', async (t) => {
  const rollout = {
    state: 'rolledBack',
    reason: 'two\nlines\u001b[31m',
    from: null,
    to: null,
    canary: null,
    trial: null,
  } as const;
  t.match(
    describeSupervisor(statusOf('shop', { rollout }), { colour: false }),
    /rollout +rolled back: two lines \[31m\n/,
  );
});

t.test('several supervisors: a line for each', async (t) => {
  const listed = [
    { name: 'api', status: statusOf('api', { pid: 7, workers: [WORKER, STARTING] }) },
    { name: 'hung', status: null },
  ];
  t.equal(
    listOfSupervisors(listed, { colour: false }),
    `name  state          workers  mode        cpu     mem  uptime  restarts  gen  pid  listens on      release
api   running            1/2  reuseport  2.0%  110.0M   1m 5s         0    3    7  127.0.0.1:3000  /srv/app
hung  not answering        -  -             -       -       -         -    -    -  -               -
`,
  );
});

t.test('the list shows the folder of the release, and a rollout that is under way', async (t) => {
  const release = { folder: '/srv/shop/releases/42', loadedAtMs: 0 };
  const rollout = { state: 'running', reason: null, from: 2, to: 3, canary: null, trial: null } as const;
  const list = (status: Parameters<typeof statusOf>[1]) =>
    listOfSupervisors([{ name: 'api', status: statusOf('api', status) }], { colour: false });
  t.match(list({ release }), /\/srv\/shop\/releases\/42\n$/);
  t.match(list({ release, rollout }), /\/releases\/42 {2}running \(generation 2 to 3\)\n$/);
  const reason = 'a worker exited with code 1; the last it wrote:\nError: no database\n    at here';
  t.match(
    list({ release, rollout: { ...rollout, state: 'rolledBack', reason } }),
    /rolled back \(generation 2 to 3\): a worker exited with code 1\n$/,
    'without the stack',
  );
});

t.test('on a terminal nothing is wider than it', async (t) => {
  const folder = '/srv/shop/releases/2026-11-26T14-00-00Z-a-really-long-name';
  const more = {
    release: { folder, current: folder },
    listenModeReason: 'this machine supports SO_REUSEPORT: SO_REUSEPORT is set through libc, as Node does not set it',
    script: `${folder}/server.js`,
  };
  const status = statusOf('shop', { ...more, workers: [WORKER, STARTING] } as never);
  for (const columns of [80, 100, 160]) {
    const texts = [
      describeSupervisor(status, { colour: false, columns }),
      listOfSupervisors([{ name: 'shop', status }], { colour: false, columns }),
    ];
    for (const line of texts.flatMap((text) => text.split('\n'))) {
      t.ok(line.length <= columns || line.includes(folder), `${columns}: ${line}`);
    }
  }
  const text = describeSupervisor(status, { colour: false, columns: 80 });
  t.match(text, /listen mode {2}reuseport: .*\n {15}set through libc/, 'broken at a blank, below its beginning');
  t.match(text, /slot {2}worker {2}gen .*conns {3}reqs\n/);
});
