import t from 'tap';
import { Driver, PORT } from '../driver.js';

const OTHER = '0.0.0.0:9090';

t.test('rolls one slot after the other with a surge of 1', async (t) => {
  const d = Driver.running({ size: 4 });
  const request = d.reload();
  for (let slot = 0; slot < 4; slot++) {
    const expected: string[] = [0, 1, 2, 3].map((other) => (other < slot ? '2 ready' : '1 ready'));
    expected[slot] = '1 ready, 2 starting';
    t.same(d.slots(), expected);
    d.bind(d.in(slot));
    t.equal(d.count('draining'), 1, 'the old one goes once the new one is ready');
    d.clear();
  }
  t.same(d.slots(), Array(4).fill('2 ready'));
  t.same(d.answers.get(request), { ok: true, reason: null });
  t.equal(d.state.rollout.state, 'done');
  t.same(d.done('forgetGeneration'), [{ do: 'forgetGeneration', generation: 1 }]);
});

t.test('does not wait for old workers to drain before it goes on', async (t) => {
  const d = Driver.running({ size: 2 });
  const request = d.reload();
  d.bindAll();
  t.same(d.slots(), ['1 draining, 2 ready', '1 ready, 2 starting']);
  d.bindAll();
  t.same(d.slots(), ['1 draining, 2 ready', '1 draining, 2 ready']);
  t.equal(d.answers.has(request), false, 'but the answer waits for them');
  d.clear();
  t.equal(d.answers.get(request)?.ok, true);
});

t.test('rolls two at a time with a surge of 2', async (t) => {
  const d = Driver.running({ size: 4, policy: { surge: 2 } });
  d.reload();
  t.same(d.slots(), ['1 ready, 2 starting', '1 ready, 2 starting', '1 ready', '1 ready']);
  d.bind(6);
  t.same(d.slots(), ['1 ready, 2 starting', '1 draining, 2 ready', '1 ready, 2 starting', '1 ready']);
  d.bindAll();
  t.same(d.slots(), ['1 draining, 2 ready', '1 draining, 2 ready', '1 draining, 2 ready', '1 ready, 2 starting']);
});

t.test('starts the whole new generation at once with a surge of the size', async (t) => {
  const d = Driver.running({ size: 4, policy: { surge: 4 } });
  d.reload();
  t.same(d.slots(), Array(4).fill('1 ready, 2 starting'));
});

t.test('an old worker stays until the new one has soaked', async (t) => {
  const d = Driver.running({ size: 2, policy: { soakMs: 2_000 } });
  d.wait(2_000);
  const request = d.reload();
  d.bindAll();
  d.wait(1_999);
  t.same(d.slots(), ['1 ready, 2 ready', '1 ready']);
  d.wait(1);
  t.same(d.slots(), ['1 draining, 2 ready', '1 ready, 2 starting']);
  d.settle();
  t.equal(d.answers.get(request)?.ok, true);
});

t.test('the crash of a new worker that soaks rolls the release back', async (t) => {
  const d = Driver.running({ size: 2, policy: { soakMs: 2_000 } });
  const request = d.reload();
  d.bindAll();
  d.wait(1_000);
  d.crash(3, 'boom');
  t.same(d.slots(), ['1 ready', '1 ready']);
  t.match(d.answers.get(request), { ok: false, reason: /while it served.*\nboom/ });
  t.same(d.done('drain'), []);
});

t.test('the last slot has to soak, too, before the release is accepted', async (t) => {
  const d = Driver.running({ policy: { soakMs: 2_000 } });
  d.reload();
  d.bindAll();
  t.equal(d.state.stable, 1);
  d.wait(2_000);
  t.equal(d.state.stable, 2);
});

t.test('a new worker has to soak also where there is no old one to replace', async (t) => {
  const d = Driver.running({ policy: { soakMs: 2_000 } });
  d.crash(1);
  const request = d.reload();
  d.clear();
  d.bindAll();
  d.wait(1_999);
  t.same([d.state.stable, d.answers.has(request)], [1, false]);
  d.crash(d.in(0));
  t.equal(d.answers.get(request)?.ok, false);
  t.same(d.slots(), ['1 starting']);
});

t.test('takes a release back that is not ready in time; the old workers never notice', async (t) => {
  const d = Driver.running({ size: 4 });
  const request = d.reload();
  d.wait(10_000);
  d.send({ type: 'lookedAround', worker: d.in(0), seen: null });
  t.same(d.slots(), ['1 ready, 2 terminating', '1 ready', '1 ready', '1 ready']);
  t.match(d.answers.get(request), {
    ok: false,
    reason: /^not ready within 10 s: it did not listen on any address\. If/,
  });
  t.same(d.done('drain'), []);
  d.clear();
  t.same(d.done('forgetGeneration'), [{ do: 'forgetGeneration', generation: 2 }]);
});

t.test('what becomes of an address that cannot be had is for the application to say', async (t) => {
  const reason = `cannot listen on ${OTHER}: EADDRINUSE, already in use by PID 7 (nginx)`;
  const told = (d: Driver) => {
    const request = d.reload();
    d.send({ type: 'bindFailed', worker: 2, key: OTHER, reason });
    t.same(d.slots(), ['1 ready, 2 starting']);
    return request;
  };
  const without = Driver.running();
  const accepted = told(without);
  without.bind(2);
  without.clear();
  t.same(without.answers.get(accepted), { ok: true, reason: null }, 'it does without');

  const waiting = Driver.running();
  const late = told(waiting);
  waiting.wait(10_000);
  t.same(waiting.answers.get(late), {
    ok: false,
    reason: `not ready within 10 s: it did not listen on any address; ${reason}`,
  });

  const ending = Driver.running();
  const ended = told(ending);
  ending.crash(2, 'Error: listen EADDRINUSE: address already in use', 'Node.js v22.0.0');
  t.same(ending.answers.get(ended), { ok: false, reason });

  const other = Driver.running();
  const broken = told(other);
  other.crash(2, 'TypeError: x is undefined');
  t.match(other.answers.get(broken)?.reason, /nginx.*TypeError: x is undefined/s);
});

t.test('an address that it gets in the end is no reason any more', async (t) => {
  const d = Driver.running({ policy: { ready: 'message' } });
  d.send({ type: 'saidReady', worker: 1 });
  const request = d.reload();
  d.send({ type: 'bindFailed', worker: 2, key: OTHER, reason: 'EADDRINUSE' });
  d.bind(2, PORT, OTHER);
  d.wait(10_000);
  t.same(d.answers.get(request), { ok: false, reason: `not ready within 10 s: it did not send 'ready'` });
});

t.test('a wider address of a release stands for the one of its predecessor', async (t) => {
  const d = Driver.running({}, '127.0.0.1:8080');
  const request = d.reload();
  t.same(d.open(2, '0.0.0.0:8080'), undefined);
  const widen = { do: 'widen', worker: 2, socket: { slot: 0, key: '127.0.0.1:8080' }, under: '0.0.0.0:8080' };
  d.send({ type: 'bound', worker: 2, key: '0.0.0.0:8080' });
  t.match(d.send({ type: 'stayed', worker: 2, key: '0.0.0.0:8080' }), [
    { do: 'accept', worker: 2 },
    { do: 'drain', worker: 1 },
    widen,
  ]);
  d.send({ type: 'bound', worker: 2, key: '127.0.0.1:8080' });
  d.clear();
  t.same(d.answers.get(request), { ok: true, reason: null });
  d.wait(100_000);
  t.same(d.done('closeSocket'), [], 'the kernel goes on to give the narrower one what is for it');
  const narrower = d.reload();
  d.bind(d.in(0), '127.0.0.1:8080');
  d.wait(10_000);
  t.match(d.answers.get(narrower), { ok: false, reason: /not on 0\.0\.0\.0:8080 as its predecessor does/ });
});

t.test('ports that are opened for a session are not asked of the successor', async (t) => {
  const d = Driver.running({ size: 2 });
  d.wait(1_000);
  d.bind(1, '0.0.0.0:50000');
  d.bind(2, '0.0.0.0:50000');
  const request = d.reload();
  d.settle();
  t.same(d.answers.get(request), { ok: true, reason: null });
});

t.test('nor is what one worker of the generation has alone', async (t) => {
  const d = new Driver({ size: 2, policy: { ready: 'message' } });
  d.send({ type: 'start' });
  d.bind(1, PORT, OTHER);
  d.bind(2, PORT);
  for (const worker of [1, 2]) d.send({ type: 'saidReady', worker });
  const request = d.reload({ ready: 'listening' });
  d.settle();
  t.same(d.answers.get(request), { ok: true, reason: null });
});

t.test('takes a release back that closes its channel', async (t) => {
  const d = Driver.running();
  const request = d.reload();
  d.send({ type: 'disconnected', worker: 2 });
  t.match(d.answers.get(request), {
    ok: false,
    reason: 'a worker closed its channel to the supervisor before it was ready',
  });
});

t.test('a release that listens on another port does not take over, and the reason names both', async (t) => {
  const d = Driver.running();
  const request = d.reload();
  d.bind(2, OTHER);
  t.same(d.slots(), ['1 ready, 2 starting']);
  d.wait(10_000);
  const reason = `not ready within 10 s: it listens on ${OTHER}, but not on ${PORT} as its predecessor does — addresses are changed by restart`;
  t.same(d.answers.get(request), { ok: false, reason });
});

t.test('a release that says ready but listens on another port does not take over either', async (t) => {
  const d = Driver.running({ policy: { ready: 'message' } });
  d.send({ type: 'saidReady', worker: 1 });
  const request = d.reload();
  d.send({ type: 'saidReady', worker: 2 });
  t.same(d.slots(), ['1 ready, 2 starting']);
  d.bind(2, OTHER);
  d.wait(10_000);
  t.match(d.answers.get(request)?.reason, `it listens on ${OTHER}, but not on ${PORT}`);
});

t.test('what a predecessor served before it crashed is not forgotten', async (t) => {
  const d = Driver.running();
  d.crash(1);
  d.reload();
  d.clear();
  d.bind(d.in(0), OTHER);
  t.same(d.slots(), ['2 starting']);
  d.bind(d.in(0), PORT);
  t.same(d.slots(), ['2 ready']);
});

t.test('a seat that is new must listen on what all workers of the old generation serve', async (t) => {
  const d = Driver.running({ size: 2 });
  d.bind(1, OTHER);
  d.reload();
  d.scale(3);
  d.bind(d.in(2), OTHER);
  t.equal(d.slots()[2], '2 starting');
  d.bind(d.in(2), PORT);
  t.equal(d.slots()[2], '2 ready');
});

t.test('a port that the kernel chose need not come back', async (t) => {
  const d = Driver.running({}, PORT, '127.0.0.1:0#0');
  const request = d.reload();
  d.settle();
  t.equal(d.answers.get(request)?.ok, true);
});

t.test('a release may listen on more than its predecessor', async (t) => {
  const d = Driver.running();
  const request = d.reload();
  d.settle(PORT, OTHER);
  t.equal(d.answers.get(request)?.ok, true);
});

t.test('a fix starts at once though the old generation is in a crash loop', async (t) => {
  const d = Driver.running({ size: 2, policy: { maxRestarts: 3 } });
  for (let crash = 0; crash < 6; crash++) {
    for (const { id } of d.state.workers) d.crash(id, 'no database');
    if (crash < 5) d.wait(10_000);
  }
  t.equal(d.state.crashLoop, true);
  t.same(d.slots(), ['', ''], 'both wait for their backoff');
  const request = d.reload();
  t.same(d.slots(), ['2 starting', '2 starting']);
  d.bindAll();
  t.equal(d.answers.get(request)?.ok, true);
  t.equal(d.state.crashLoop, false, 'the fix is not blamed for it');
});

t.test('a crash of an old worker during a rollout is replaced by the new generation', async (t) => {
  const d = Driver.running({ size: 3 });
  d.reload();
  d.crash(3);
  t.same(d.slots(), ['1 ready, 2 starting', '1 ready', '2 starting']);
  d.settle();
  t.same(d.slots(), Array(3).fill('2 ready'));
});

t.test('an old worker that is not ready goes first', async (t) => {
  const d = Driver.running({ size: 2 });
  d.crash(2);
  d.wait(75);
  t.same(d.slots(), ['1 ready', '1 starting']);
  d.reload();
  t.same(d.slots(), ['1 ready, 2 starting', '1 terminating, 2 starting']);
});
