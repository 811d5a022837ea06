import os from 'node:os';
import t from 'tap';
import { takeServiceEnvironment } from '../../src/systemd/environment.js';
import type { Notifier } from '../../src/systemd/notify.js';
import { Service } from '../../src/systemd/service.js';
import { failureOf, situationOf } from '../../src/systemd/words.js';
import { Driver } from '../core/driver.js';

t.test('the situation is told in words, from the start to the end', async (t) => {
  const d = new Driver({ size: 2 });
  d.send({ type: 'start' });
  t.same(situationOf(d.state), { phase: 'starting', status: '0 of 2 workers ready' });
  d.bindAll();
  t.same(situationOf(d.state), { phase: 'ready', status: '2 workers ready, generation 1' });
  d.reload();
  t.same(situationOf(d.state), {
    phase: 'reloading',
    status: '2 workers ready, generation 1; generation 2 has 0 of 2 workers',
  });
  d.crash(3, 'Error: no database', '    at here');
  t.match(situationOf(d.state), {
    phase: 'ready',
    status: /^2 workers ready, generation 1; generation 2 was rolled back: a worker exited with code 1 [^\n:]*$/,
  });
  d.send({ type: 'stop', request: 9 });
  t.same(situationOf(d.state), { phase: 'stopping', status: 'stopping: 2 of 2 workers still draining' });
});

t.test('a failure has the errno that it names, and one line', async (t) => {
  const { EADDRINUSE } = os.constants.errno;
  t.same(failureOf('cannot listen on *:80: EADDRINUSE (address already in use)\nmore', 1), [
    'STATUS=cannot listen on *:80: EADDRINUSE (address already in use)',
    `ERRNO=${EADDRINUSE}`,
    'EXIT_STATUS=1',
  ]);
  t.same(failureOf('EVERYTHING is wrong', 2), ['STATUS=EVERYTHING is wrong', 'EXIT_STATUS=2']);
});

t.test('a worker on trial beside the one that serves is not one more that serves', async (t) => {
  const d = Driver.running({ size: 2 });
  d.reload({ soakMs: 1_000 });
  d.bindAll();
  t.match(situationOf(d.state), { status: '2 workers ready, generation 1; generation 2 has 1 of 2 workers' });
});

t.test('a release on trial is told', async (t) => {
  const d = Driver.running({ size: 2 });
  d.reload({ trialMs: 1_000 });
  t.same(situationOf(d.state), {
    phase: 'reloading',
    status: '2 workers ready, generation 1; generation 2 is on trial',
  });
});

function told(watchdogMs: number | null = null) {
  const lines: string[][] = [];
  const notifier: Notifier = {
    send: (assignments) => void lines.push([...assignments]),
    barrier: async () => {},
    passesFds: true,
    close: async () => {},
  };
  return { lines, service: new Service({ notifier, watchdogMs, pid: 7 }), names: () => lines.splice(0).flat() };
}

t.test('systemd hears of readiness once, of every reload from its beginning to its end, and of the stop', async (t) => {
  const { service, names } = told();
  t.teardown(() => service.close());
  const d = new Driver({ size: 1 });
  service.begin();
  t.match(names(), ['EXTEND_TIMEOUT_USEC=30000000']);
  d.send({ type: 'start' });
  service.review(d.state);
  t.match(names(), ['STATUS=0 of 1 worker ready', /^EXTEND_TIMEOUT_USEC=/]);
  d.bindAll();
  service.review(d.state);
  service.review(d.state);
  t.same(names(), ['READY=1', 'MAINPID=7', 'STATUS=1 worker ready, generation 1'], 'and nothing twice');

  const before = process.hrtime.bigint() / 1000n;
  await service.reload(async () => {
    const [reloading, time] = names().filter((line) => !/^(STATUS|EXTEND)/.test(line));
    t.equal(reloading, 'RELOADING=1');
    t.ok(BigInt(time?.replace('MONOTONIC_USEC=', '') ?? 0) >= before);
  });
  t.match(names(), [/^READY=1$/, 'MAINPID=7', /^STATUS=/], 'also when nothing came of it');

  await service.reload(() => Promise.reject(new Error('bad configuration'))).catch(() => {});
  t.ok(names().includes('READY=1'));
  d.send({ type: 'stop', request: 9 });
  service.review(d.state);
  t.match(names(), ['STOPPING=1', /^STATUS=stopping/, /^EXTEND/]);
});

t.test('a sign of life is given again and again, but not in a crash loop in which nobody serves', async (t) => {
  const { service, lines } = told(20);
  t.teardown(() => service.close());
  const d = new Driver({ size: 1, policy: { maxRestarts: 0 } });
  d.send({ type: 'start' });
  d.bindAll();
  service.review(d.state);
  service.begin();
  const signs = () =>
    lines
      .splice(0)
      .flat()
      .filter((line) => line === 'WATCHDOG=1').length;
  t.equal(signs(), 1);
  await new Promise((resolve) => setTimeout(resolve, 100));
  t.ok(signs() > 1);
  d.crash(1);
  service.review(d.state);
  signs();
  await new Promise((resolve) => setTimeout(resolve, 100));
  t.equal(signs(), 0);
});

t.test('what systemd says is for the supervisor alone', async (t) => {
  const env: NodeJS.ProcessEnv = {
    PATH: '/bin',
    NOTIFY_SOCKET: '/run/systemd/notify',
    WATCHDOG_USEC: '30000000',
    WATCHDOG_PID: '12',
    LISTEN_PID: '12',
    LISTEN_FDS: '3',
    LISTEN_FDNAMES: 'web:admin',
    JOURNAL_STREAM: '8:9',
    FDSTORE: '16',
  };
  t.same(takeServiceEnvironment({ ...env }, 12), {
    notifySocket: '/run/systemd/notify',
    watchdogMs: 30_000,
    fdNames: ['web', 'admin', 'unknown'],
    journalStream: '8:9',
  });
  t.match(takeServiceEnvironment({ ...env }, 13), { watchdogMs: null, fdNames: [] }, 'of another process');
  takeServiceEnvironment(env, 12);
  t.same(env, { PATH: '/bin' });
  for (const nonsense of ['-1', 'many', '1e9']) {
    t.same(takeServiceEnvironment({ LISTEN_PID: '1', LISTEN_FDS: nonsense }, 1).fdNames, [], nonsense);
  }
  t.equal(takeServiceEnvironment({ NOTIFY_SOCKET: 'vsock:2:1' }, 1).notifySocket, null);
});

t.test(
  'the watchdog is fed by the rule of the liveness probe: also where only one of four slots is left',
  async (t) => {
    const { service, names } = told(60_000);
    t.teardown(() => service.close());
    const d = Driver.running({ size: 4, policy: { stopExitCodes: [64], maxRestarts: 0 } });
    for (const worker of [1, 2, 3]) {
      d.send({ type: 'exited', worker, code: 64, signal: null, chance: 0, lastLines: [] });
    }
    service.review(d.state);
    names();
    service.begin();
    t.ok(names().includes('WATCHDOG=1'));
    service.close();
    d.crash(4);
    d.wait(40_000);
    d.crash(5);
    service.review(d.state);
    names();
    service.begin();
    t.notOk(names().includes('WATCHDOG=1'), 'a new start may help');
  },
);
