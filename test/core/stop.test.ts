import t from 'tap';
import { Driver } from './driver.js';

t.test('a stop drains all workers, and ends when the last has gone', async (t) => {
  const d = Driver.running({ size: 2 });
  const request = d.stop();
  t.same(d.effects, [
    { do: 'closeCustody' },
    {
      do: 'drain',
      worker: 1,
      windowMs: 30_000,
      spreadMs: 5_000,
      reason: 'stopping',
      recipients: [],
      addresses: ['0.0.0.0:8080'],
    },
    {
      do: 'drain',
      worker: 2,
      windowMs: 30_000,
      spreadMs: 5_000,
      reason: 'stopping',
      recipients: [],
      addresses: ['0.0.0.0:8080'],
    },
  ]);
  d.send({ type: 'drained', worker: 1 });
  d.exit(1);
  t.equal(d.answers.has(request), false);
  d.send({ type: 'drained', worker: 2 });
  t.same(d.exit(2), [
    { do: 'answer', request, ok: true, reason: null },
    { do: 'end', reason: null },
  ]);
  t.equal(d.state.phase, 'stopped');
});

t.test('nothing is started after a stop, whatever happens', async (t) => {
  const d = Driver.running({ size: 3 });
  d.reload();
  d.stop();
  d.crash(1);
  d.scale(5);
  d.reload();
  d.restart();
  d.wait(100_000);
  d.clear();
  t.same(d.done('spawn').length, 1, 'only what the reload began');
  t.equal(d.done('end').length, 1);
});

t.test('a stop during a reload answers both', async (t) => {
  const d = Driver.running({ size: 2 });
  const reload = d.reload();
  d.bindAll();
  const stop = d.stop();
  t.same(d.answers.get(reload), { ok: false, reason: 'the supervisor is stopping' });
  t.same(d.slots(), ['1 draining, 2 draining', '1 draining, 2 terminating']);
  d.clear();
  t.equal(d.answers.get(stop)?.ok, true);
});

t.test('a stop while only old workers still drain does not spoil the reload', async (t) => {
  const d = Driver.running();
  const reload = d.reload();
  d.bindAll();
  d.stop();
  t.same(d.answers.get(reload), { ok: true, reason: null });
});

t.test('a stop during the start is no failure', async (t) => {
  const d = new Driver({ size: 3 });
  d.send({ type: 'start' });
  d.crash(1, 'boom');
  d.bind(2);
  const request = d.stop();
  t.same(d.slots(), ['', '1 draining', '1 terminating'], 'what accepts is drained, what does not is told to end');
  d.clear();
  t.equal(d.answers.get(request)?.ok, true);
  t.same(d.done('end'), [{ do: 'end', reason: null }]);
  t.same(d.done('announceStart'), []);
});

t.test('a stop while a failed start is being cleared away leaves it a failure', async (t) => {
  for (const impatient of ['stop', 'stopNow'] as const) {
    const d = new Driver({ size: 2 });
    d.send({ type: 'start' });
    for (const worker of [1, 2]) d.send({ type: 'failed', worker, reason: 'EADDRINUSE' });
    if (impatient === 'stop') d.stop();
    else d.send({ type: 'stopNow' });
    d.clear();
    t.same(d.done('end'), [{ do: 'end', reason: 'EADDRINUSE' }], impatient);
  }
});

t.test('a stop during a restart answers both', async (t) => {
  const d = Driver.running();
  const restart = d.restart();
  const reload = d.reload();
  const stop = d.stop();
  d.clear();
  t.same([d.answers.get(restart)?.ok, d.answers.get(reload)?.ok, d.answers.get(stop)?.ok], [false, false, true]);
  t.equal(d.done('end').length, 1);
});

t.test('a scale that waits is answered by a stop', async (t) => {
  const d = Driver.running();
  const scale = d.scale(2);
  d.stop();
  t.same(d.answers.get(scale), { ok: false, reason: 'the supervisor is stopping' });
});

t.test('several stops are all answered at the end', async (t) => {
  const d = Driver.running();
  const first = d.stop();
  const second = d.stop();
  t.equal(d.done('drain').length, 1);
  d.clear();
  const late = d.stop();
  for (const request of [first, second, late]) t.same(d.answers.get(request), { ok: true, reason: null });
  t.equal(d.done('end').length, 1);
});

t.test('stopNow during a stop kills whatever is still there', async (t) => {
  const d = Driver.running({ size: 2 });
  const request = d.stop();
  d.send({ type: 'drained', worker: 1 });
  t.same(d.send({ type: 'stopNow' }), [
    { do: 'kill', worker: 1 },
    { do: 'kill', worker: 2 },
  ]);
  t.same(d.send({ type: 'stopNow' }), [], 'once is enough');
  d.clear();
  t.equal(d.answers.get(request)?.ok, true);
  t.same(d.done('end'), [{ do: 'end', reason: null }]);
});

t.test('stopNow needs no stop before it', async (t) => {
  const d = Driver.running();
  d.send({ type: 'stopNow' });
  t.same(d.slots(), ['1 killing']);
  d.exit(1);
  t.equal(d.state.phase, 'stopped');
});

t.test('requests during a stop are refused at once', async (t) => {
  const d = Driver.running();
  d.stop();
  for (const request of [d.reload(), d.restart(), d.scale(3)]) {
    t.same(d.answers.get(request), { ok: false, reason: 'the supervisor is stopping' });
  }
});

t.test('a socket that opens while custody is being closed is not waited for', async (t) => {
  const d = Driver.running();
  d.stop();
  d.open(1, '0.0.0.0:9090');
  t.same(d.sockets, []);
});
