import t from 'tap';
import { DIAGNOSIS_MS } from '../../src/core/worker/condition.js';
import { Driver } from './driver.js';

t.test('a worker that hangs is replaced at once and killed when it is known where', async (t) => {
  const d = Driver.running({ size: 2 });
  d.send({ type: 'hung', worker: 1, silentMs: 10_000 });
  t.same(d.done('diagnose'), [{ do: 'diagnose', worker: 1 }]);
  t.same(d.done('drain'), [], 'it would not hear');
  t.same(d.slots()[0], '1 terminating, 1 starting');
  d.send({ type: 'diagnosed', worker: 1 });
  t.same(d.done('kill'), [{ do: 'kill', worker: 1 }]);
  t.match(d.state.slots[0], { restarts: 1, reason: /hung: no sign of life for 10 s/ });
});

t.test('what cannot be found out does not keep it', async (t) => {
  const d = Driver.running({ size: 2 });
  d.send({ type: 'hung', worker: 1, silentMs: 10_000 });
  d.wait(DIAGNOSIS_MS);
  t.same(d.done('kill'), [{ do: 'kill', worker: 1 }]);
});

t.test('a replacement that hangs as well has to wait', async (t) => {
  const d = Driver.running({ size: 1 });
  d.send({ type: 'hung', worker: 1, silentMs: 10_000 });
  d.bind(2);
  d.send({ type: 'hung', worker: 2, silentMs: 10_000 });
  t.equal(d.count('starting'), 0);
  d.wait(200);
  t.equal(d.count('starting'), 1);
});

t.test('a worker at its limit is replaced as in a reload, one at a time', async (t) => {
  const d = Driver.running({ size: 2 });
  d.send({ type: 'exceeded', worker: 1, limit: 'maxAge', reason: 'maxAge' });
  d.send({ type: 'exceeded', worker: 2, limit: 'maxAge', reason: 'maxAge' });
  t.same(d.slots(), ['1 ready, 1 starting', '1 ready']);
  d.bind(3);
  t.same(d.slots(), ['1 draining, 1 ready', '1 ready, 1 starting']);
  d.settle();
  t.same(d.slots(), ['1 ready', '1 ready']);
  t.match(d.state.slots, [
    { recycled: 1, restarts: 0, reason: 'maxAge' },
    { recycled: 1, restarts: 0, reason: 'maxAge' },
  ]);
});

t.test('a rollout goes first, and recycles on the way', async (t) => {
  const d = Driver.running({ size: 2 });
  d.reload();
  d.send({ type: 'exceeded', worker: 1, limit: 'maxMemory', reason: 'maxMemory' });
  d.settle();
  t.same(d.slots(), ['2 ready', '2 ready']);
  t.equal(d.done('spawn').length, 2);
});

t.test('a release that comes to a limit while it is on trial is rolled back', async (t) => {
  const d = Driver.running({ size: 1 });
  d.reload({ soakMs: 5_000 });
  d.bind(2);
  d.send({ type: 'exceeded', worker: 2, limit: 'maxMemory', reason: 'maxMemory: 300 MiB of 200 MiB' });
  t.equal(d.state.rollout.reason, 'a worker came to a limit: maxMemory: 300 MiB of 200 MiB');
  t.same(d.slots(), ['1 ready, 2 draining']);
});

t.test('an exit code that means no is heeded, until the next release', async (t) => {
  const d = Driver.running({ size: 2, policy: { stopExitCodes: [1] } });
  d.crash(1);
  d.wait(60_000);
  t.same(d.slots(), ['', '1 ready']);
  const request = d.reload();
  d.settle();
  t.same(d.slots(), ['2 ready', '2 ready']);
  t.match(d.answers.get(request), { ok: true });
  d.crash(d.in(0));
  d.crash(d.in(1));
  t.match(d.done('end'), [{ reason: null }], 'nothing is left to do');
});

t.test('a crash loop that is to end the supervisor does so with its reason', async (t) => {
  const d = Driver.running({ size: 2, policy: { onCrashLoop: 'exit', maxRestarts: 1 } });
  d.crash(1, 'boom');
  d.wait(100);
  d.bind(3);
  d.crash(3, 'boom');
  d.settle();
  t.match(d.done('end'), [{ reason: /^more than 1 crashes within 60 s, the last one: .*boom$/s }]);
});
