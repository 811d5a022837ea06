import t from 'tap';
import { Driver, PORT } from './driver.js';

const OTHER = '0.0.0.0:9090';

t.test('a restart stops all, then starts all', async (t) => {
  const d = Driver.running({ size: 3 });
  const request = d.restart();
  t.same(d.slots(), Array(3).fill('1 draining'));
  t.same(d.done('spawn'), []);
  d.clear();
  t.same(d.slots(), Array(3).fill('2 starting'));
  d.bindAll();
  t.same(d.answers.get(request), { ok: true, reason: null });
  t.same(d.done('announceStart'), [], 'that was told at the first start');
});

t.test('a restart is answered once each slot has been ready, though one is being replaced again', async (t) => {
  const d = Driver.running({ size: 2 });
  const request = d.restart();
  d.clear();
  d.bind(3);
  d.send({ type: 'resigned', worker: 3 });
  t.equal(d.answers.has(request), false, 'those that served before it do not count');
  d.bind(4);
  t.same(d.slots(), ['2 ready, 2 starting', '2 ready'], 'its successor is on its way');
  t.same(d.answers.get(request), { ok: true, reason: null });
});

t.test('nobody is recycled while a reload waits for the end of a restart', async (t) => {
  const d = Driver.running({ size: 2 });
  d.restart();
  d.clear();
  d.bind(3);
  d.reload();
  d.send({ type: 'resigned', worker: 3 });
  d.bind(4);
  t.same(d.slots(), ['2 ready, 3 starting', '2 ready']);
});

t.test('a restart keeps custody: what waits in the queues is served afterwards', async (t) => {
  const d = Driver.running({ size: 2 });
  d.restart();
  d.clear();
  t.same(d.done('closeSocket'), []);
  t.same(d.done('closeCustody'), []);
  t.equal(d.sockets.length, 2);
});

t.test('after a restart with another port the unused address is closed', async (t) => {
  const d = Driver.running({ size: 2 });
  d.restart();
  d.clear();
  t.same(d.done('closeSocket'), [], 'a worker may still come to listen on it');
  d.bindAll(OTHER);
  t.same(d.done('closeSocket'), [
    { do: 'closeSocket', socket: { slot: 0, key: PORT } },
    { do: 'closeSocket', socket: { slot: 1, key: PORT } },
  ]);
  t.same(d.sockets, [
    { slot: 0, key: OTHER },
    { slot: 1, key: OTHER },
  ]);
});

t.test('in reuseaddr mode the shared socket is closed once', async (t) => {
  const d = Driver.running({ size: 2, listenMode: 'reuseaddr' });
  d.restart();
  d.clear();
  d.bindAll(OTHER);
  d.wait(10_000);
  t.same(d.done('closeSocket'), [{ do: 'closeSocket', socket: { slot: null, key: PORT } }]);
});

t.test('a restart that fails is answered, and holdfast keeps trying', async (t) => {
  const d = Driver.running({ size: 2 });
  const request = d.restart();
  d.clear();
  d.crash(3, 'boom');
  t.match(d.answers.get(request), { ok: false, reason: /boom; holdfast keeps trying/ });
  d.crash(4, 'boom');
  t.equal(d.state.phase, 'running');
  d.wait(200);
  d.settle();
  t.same(d.slots(), ['2 ready', '2 ready']);
});

t.test('a restart during a rollout ends it', async (t) => {
  const d = Driver.running({ size: 2 });
  const reload = d.reload();
  d.bindAll();
  const restart = d.restart();
  t.same(d.answers.get(reload), { ok: false, reason: 'the workers are being restarted' });
  d.settle();
  t.same(d.slots(), ['3 ready', '3 ready']);
  t.equal(d.answers.get(restart)?.ok, true);
});

t.test('a restart while only old workers still drain does not spoil the reload', async (t) => {
  const d = Driver.running();
  const reload = d.reload();
  d.bindAll();
  d.restart();
  t.same(d.answers.get(reload), { ok: true, reason: null });
});

t.test('a reload during a restart waits until all slots are up', async (t) => {
  const d = Driver.running({ size: 2 });
  const restart = d.restart();
  const first = d.reload();
  d.clear();
  t.same(d.slots(), ['2 starting', '2 starting']);
  const second = d.reload();
  t.same(d.slots(), ['2 starting', '2 starting']);
  d.bindAll();
  t.equal(d.answers.get(restart)?.ok, true);
  t.same(d.slots(), ['2 ready, 3 starting', '2 ready']);
  d.settle();
  t.same([d.answers.get(first)?.ok, d.answers.get(second)?.ok], [true, true]);
});

t.test('a reload that waited for a restart which fails begins at once: it may be the fix', async (t) => {
  const d = Driver.running({ size: 2 });
  d.restart();
  const fix = d.reload();
  d.clear();
  d.crash(3);
  t.same(d.slots(), ['3 starting', '2 terminating, 3 starting']);
  d.settle();
  t.equal(d.answers.get(fix)?.ok, true);
});

t.test('a restart takes along the reload that waits: what comes up is newer', async (t) => {
  const d = Driver.running({ size: 2 });
  d.restart();
  const reload = d.reload({}, 3);
  const restart = d.restart();
  d.settle();
  t.same(d.slots(), Array(3).fill('2 ready'));
  t.same([d.answers.get(reload)?.ok, d.answers.get(restart)?.ok], [true, true]);
});

t.test('a restart takes along the size of the rollout that it ends', async (t) => {
  const d = Driver.running({ size: 2 });
  d.reload({}, 3);
  d.restart();
  d.settle();
  t.same(d.slots(), Array(3).fill('3 ready'));
});

t.test('a size that is asked for during a restart wins over the one it brings', async (t) => {
  const d = Driver.running({ size: 2 });
  d.restart({}, 5);
  const scale = d.scale(3);
  d.settle();
  t.same(d.slots(), Array(3).fill('2 ready'));
  t.equal(d.answers.get(scale)?.ok, true);
});

t.test('a scale that waits survives a restart', async (t) => {
  const d = Driver.running({ size: 1 });
  const scale = d.scale(2);
  d.restart();
  t.equal(d.answers.has(scale), false);
  d.settle();
  t.equal(d.answers.get(scale)?.ok, true);
});

t.test('a restart during the start is a start all over', async (t) => {
  const d = new Driver({ size: 2 });
  d.send({ type: 'start' });
  d.crash(1, 'old fault');
  const request = d.restart();
  d.clear();
  t.same(d.slots(), ['2 starting', '2 starting']);
  t.equal(d.state.phase, 'starting');
  d.bindAll();
  t.equal(d.done('announceStart').length, 1);
  t.equal(d.answers.get(request)?.ok, true);
});

t.test('a restart during the start that fails in all slots ends with the newer reason', async (t) => {
  const d = new Driver();
  d.send({ type: 'start' });
  d.wait(1);
  const request = d.restart();
  d.clear();
  d.crash(2, 'new fault');
  t.match(d.answers.get(request), { ok: false, reason: /new fault/ });
  t.match(d.done('end')[0]?.reason, /new fault/);
});

t.test('a restart forgets backoff and crash loop', async (t) => {
  const d = Driver.running({ policy: { maxRestarts: 0 } });
  d.crash(1);
  t.equal(d.state.crashLoop, true);
  d.restart();
  t.same(d.slots(), ['2 starting']);
  t.equal(d.state.crashLoop, false);
});
