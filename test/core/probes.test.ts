import t from 'tap';
import { judgeProbe } from '../../src/core/probes.js';
import type { ProbeName } from '../../src/protocol/admin.js';
import { Driver } from './driver.js';

const NAMES = ['livez', 'readyz', 'startupz'] as const satisfies readonly ProbeName[];

/** All three at once: `live ready started`, a dash for each that fails. */
function probes(d: Driver): string {
  const words = { livez: 'live', readyz: 'ready', startupz: 'started' };
  return NAMES.map((name) => (judgeProbe(name, d.state).ok ? words[name] : '-')).join(' ');
}

function reason(d: Driver, name: ProbeName): string {
  return judgeProbe(name, d.state).reason;
}

t.test('while it starts it is alive, and neither ready nor started', async (t) => {
  const d = new Driver({ size: 2 });
  t.equal(probes(d), 'live - -');
  d.send({ type: 'start' });
  d.bind(1);
  t.equal(probes(d), 'live - -', 'not before the start is announced');
  t.equal(reason(d, 'readyz'), 'not started yet: 1 of 2 workers are ready');
  t.equal(reason(d, 'startupz'), 'not started yet: 1 of 2 workers are ready');
  d.bind(2);
  t.equal(probes(d), 'live ready started');
  t.equal(reason(d, 'readyz'), '2 of 2 workers are ready');
});

t.test('a reload is nothing to be seen, nor is one that is rolled back', async (t) => {
  const d = Driver.running({ size: 2 });
  d.reload();
  for (let turn = 0; turn < 4; turn++) {
    t.equal(probes(d), 'live ready started');
    d.bindAll();
    t.equal(probes(d), 'live ready started');
    d.clear();
  }
  t.equal(d.state.rollout.state, 'done');
  d.reload();
  d.crash(d.in(0));
  d.settle();
  t.equal(d.state.rollout.state, 'rolledBack');
  t.equal(probes(d), 'live ready started');
});

t.test('one ready worker is enough, and one that has ended is none', async (t) => {
  const d = Driver.running({ size: 2 });
  d.crash(1);
  t.equal(probes(d), 'live ready started');
  d.send({ type: 'ended', worker: 2 });
  t.equal(probes(d), 'live - started');
  t.equal(reason(d, 'readyz'), 'no worker is ready');
});

t.test('a restart is not ready until the first worker is up, and is no reason to be restarted', async (t) => {
  const d = Driver.running({ size: 1 });
  d.restart();
  t.equal(probes(d), 'live - started');
  t.equal(reason(d, 'readyz'), 'the workers are being restarted');
  d.settle();
  t.equal(probes(d), 'live ready started');
});

t.test('a stop is told at once, while the workers still drain, and is alive to the end', async (t) => {
  const d = Driver.running({ size: 2 });
  d.stop();
  t.same(d.slots(), ['1 draining', '1 draining']);
  t.equal(probes(d), 'live - started');
  t.equal(reason(d, 'readyz'), 'the supervisor is stopping');
  d.clear();
  t.equal(d.state.phase, 'stopped');
  t.equal(probes(d), 'live - started');
});

t.test('a crash loop with nobody ready is not alive; with somebody who serves it is', async (t) => {
  const d = Driver.running({ size: 2, policy: { maxRestarts: 2 } });
  for (let crashes = 0; crashes < 3; crashes++) {
    d.crash(d.in(0));
    d.wait(10_000);
  }
  t.equal(d.state.crashLoop, true);
  t.equal(probes(d), 'live ready started', 'the other slot serves');
  d.crash(2);
  t.equal(probes(d), '- - started');
  t.equal(reason(d, 'livez'), 'crash loop, and no worker is ready');
  d.stop();
  t.equal(probes(d), 'live - started', 'it is on its way out already');
});

t.test('a start that fails stays alive to its end', async (t) => {
  const d = new Driver({ size: 1, policy: { maxRestarts: 0 } });
  d.send({ type: 'start' });
  d.crash(1);
  t.equal(d.state.phase, 'stopped');
  t.equal(probes(d), 'live - -');
});

t.test('restarts are counted by their reason, rollouts by their outcome', async (t) => {
  const d = Driver.running({ size: 1 });
  t.same(d.state.totals, {
    restarts: { crashed: 0, failed: 0, hung: 0, recycled: 0 },
    rollouts: { done: 0, rolledBack: 0 },
  });
  d.crash(d.in(0));
  d.settle();
  d.send({ type: 'hung', worker: d.in(0), silentMs: 10_000 });
  d.settle();
  d.send({ type: 'disconnected', worker: d.in(0) });
  d.settle();
  d.send({ type: 'exceeded', worker: d.in(0), limit: 'maxAge', reason: 'maxAge' });
  d.settle();
  d.reload();
  d.settle();
  d.reload();
  d.crash(d.in(0));
  d.settle();
  t.same(d.state.totals, {
    restarts: { crashed: 1, failed: 1, hung: 1, recycled: 1 },
    rollouts: { done: 1, rolledBack: 1 },
  });
});
