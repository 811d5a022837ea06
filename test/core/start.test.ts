import t from 'tap';
import type { MonotonicMs } from '../../src/monotonic.js';
import { Driver, PORT } from './driver.js';

const OTHER = '0.0.0.0:8081';

t.test('starts all slots at once and says so when all are ready', async (t) => {
  const d = new Driver({ size: 4 });
  t.same(
    d.send({ type: 'start' }),
    [1, 2, 3, 4].map((worker) => ({ do: 'spawn', worker, slot: worker - 1, generation: 1, held: false })),
  );
  for (const id of [1, 2, 3]) d.bind(id);
  t.equal(d.state.phase, 'starting');
  t.same(d.done('announceStart'), []);
  d.bind(4);
  t.equal(d.state.phase, 'running');
  t.equal(d.done('announceStart').length, 1);
});

t.test('ends with what the first worker wrote when no slot gets up', async (t) => {
  const d = new Driver({ size: 3 });
  d.send({ type: 'start' });
  d.crash(1, 'Error: cannot find module', '    at here');
  d.crash(2, 'another message');
  t.same(d.done('end'), []);
  d.crash(3);
  const [end] = d.done('end');
  t.equal(
    end?.reason,
    'a worker exited with code 1 before it was ready; the last it wrote:\nError: cannot find module\n    at here',
  );
  t.equal(d.state.phase, 'stopped');
  t.equal(d.done('spawn').length, 3, 'each slot has had one try');
});

t.test(
  'says why a worker may have ended well before it was ready, and names the port that the kernel chose',
  async (t) => {
    const d = new Driver({ size: 1 });
    d.send({ type: 'start' });
    const exit = { code: 0, signal: null, chance: 0.5, lastLines: [] };
    d.send({ type: 'exited', worker: 1, ...exit });
    t.match(d.done('end'), [{ reason: /^a worker exited with code 0 before it was ready: it had nothing left to do/ }]);

    const other = new Driver({ size: 1 });
    other.send({ type: 'start' });
    other.bind(1);
    other.send({ type: 'reload', request: 1, policy: other.state.policies[1]!, size: null });
    other.send({ type: 'bound', worker: 2, key: '*:0#0', address: '*:40123' });
    other.send({ type: 'stayed', worker: 2, key: '*:0#0' });
    other.wait(10_000);
    t.match(other.state.rollout.reason, /it listens on \*:40123, but not on/);
  },
);

t.test('ends when no worker becomes ready in time', async (t) => {
  const d = new Driver({ size: 2 });
  d.send({ type: 'start' });
  d.wait(10_000);
  t.same(d.done('lookAround'), [
    { do: 'lookAround', worker: 1 },
    { do: 'lookAround', worker: 2 },
  ]);
  d.send({ type: 'lookedAround', worker: 1, seen: 'it listens on *:80 by itself' });
  t.same(d.slots(), ['1 terminating', '1 starting']);
  d.wait(1_000);
  t.same(d.slots(), ['1 terminating', '1 terminating'], 'without an answer in due time as well');
  d.clear();
  t.equal(
    d.done('end')[0]?.reason,
    'not ready within 10 s: it did not listen on any address; it listens on *:80 by itself. If it serves no traffic (a queue worker, a bot, cron), set ready: running',
  );
});

t.test('a worker that listens while it is looked at is ready', async (t) => {
  const d = new Driver();
  d.send({ type: 'start' });
  d.wait(10_000);
  d.bind(1);
  t.same(d.slots(), ['1 ready']);
  d.send({ type: 'lookedAround', worker: 1, seen: null });
  d.wait(1_000);
  t.same(d.slots(), ['1 ready']);
});

t.test('says so when there is no process at all', async (t) => {
  const d = new Driver();
  d.send({ type: 'start' });
  d.send({ type: 'exited', worker: 1, code: null, signal: null, chance: 0, lastLines: ['spawn EAGAIN'] });
  t.equal(d.done('end')[0]?.reason, 'a worker could not be started: spawn EAGAIN');
});

t.test('runs with three of four, and tries the fourth again with growing delays', async (t) => {
  const d = new Driver({ size: 4 });
  d.send({ type: 'start' });
  d.crash(2);
  d.bindAll();
  t.equal(d.state.phase, 'running');
  t.equal(d.done('announceStart').length, 1);
  const delays: number[] = [];
  for (let attempt = 0; attempt < 4; attempt++) {
    const from = d.now;
    while (d.slots()[1] === '') d.wait(1);
    delays.push(d.now - from);
    d.crash(d.in(1));
  }
  t.same(delays, [75, 150, 300, 600]);
  d.settle();
  t.same(d.slots(), Array(4).fill('1 ready'));
  t.equal(d.done('announceStart').length, 1, 'the start is told once');
});

t.test('a slot that failed first is tried again as soon as a sibling shows that it can be done', async (t) => {
  const d = new Driver({ size: 3 });
  d.send({ type: 'start' });
  d.crash(1);
  d.wait(5_000);
  t.same(d.slots(), ['', '1 starting', '1 starting']);
  d.bind(2);
  t.same(d.slots(), ['1 starting', '1 ready', '1 starting']);
  t.equal(d.state.phase, 'starting');
  d.bind(3);
  t.equal(d.state.phase, 'running');
});

t.test('ends with the reason when the address cannot be had and the application ends of it', async (t) => {
  const d = new Driver({ size: 2 });
  d.send({ type: 'start' });
  const reason = `cannot listen on ${PORT}: EADDRINUSE, already in use by PID 7 (nginx)`;
  for (const worker of [1, 2]) d.send({ type: 'bindFailed', worker, key: PORT, reason });
  t.same(d.slots(), ['1 starting', '1 starting']);
  for (const worker of [1, 2]) d.crash(worker, 'Error: listen EADDRINUSE: address already in use', 'Node.js v22.0.0');
  t.same(d.done('end'), [{ do: 'end', reason }]);
});

t.test('ends at once with the reason when it is the supervisor that lacks something', async (t) => {
  const d = new Driver({ size: 3 });
  d.send({ type: 'start' });
  d.crash(1, 'some other fault');
  const reason = `cannot listen on ${PORT}: EMFILE (too many open files)`;
  d.send({ type: 'bindFailed', worker: 2, key: PORT, reason, isOurs: true });
  t.equal(d.state.phase, 'stopping');
  d.clear();
  t.same(d.done('end'), [{ do: 'end', reason }]);
});

t.test('goes on when the application takes another port, or waits until it is free', async (t) => {
  const d = new Driver({ size: 2 });
  d.send({ type: 'start' });
  for (const worker of [1, 2]) d.send({ type: 'bindFailed', worker, key: PORT, reason: 'EADDRINUSE' });
  d.bind(1, OTHER);
  d.wait(5_000);
  d.bind(2, OTHER);
  t.equal(d.state.phase, 'running');
});

t.test('a worker that already serves may fail to get one more address: that does not end the start', async (t) => {
  const d = new Driver({ size: 2 });
  d.send({ type: 'start' });
  d.bind(1);
  d.send({ type: 'bindFailed', worker: 1, key: '0.0.0.0:9090', reason: 'EADDRINUSE' });
  t.equal(d.state.phase, 'starting');
  d.bind(2);
  t.equal(d.state.phase, 'running');
  t.same(d.slots(), ['1 ready', '1 ready']);
});

t.test('gives the time that an address is waited for on top of the time to become ready', async (t) => {
  const d = new Driver();
  d.send({ type: 'start' });
  d.send({ type: 'bindDelayed', worker: 1, key: PORT, until: (d.now + 60_000) as MonotonicMs });
  d.wait(69_999);
  t.same(d.done('lookAround'), []);
  d.wait(1);
  t.same(d.done('lookAround'), [{ do: 'lookAround', worker: 1 }], 'it is over');
});

t.test('with ready=message it is not enough to listen', async (t) => {
  const d = new Driver({ policy: { ready: 'message' } });
  d.send({ type: 'start' });
  d.bind(1);
  t.same(d.slots(), ['1 starting']);
  d.send({ type: 'saidReady', worker: 1 });
  t.same(d.slots(), ['1 ready']);
});

t.test('with ready=message a worker that listens nowhere may be ready', async (t) => {
  const d = new Driver({ policy: { ready: 'message' } });
  d.send({ type: 'start' });
  d.send({ type: 'saidReady', worker: 1 });
  t.equal(d.state.phase, 'running');
});

t.test(
  'a worker is not ready while another address is in the way of its own, though it believes to listen',
  async (t) => {
    for (const policy of [{ ready: 'message' }, { ready: 'running', minUptimeMs: 1_000 }] as const) {
      const d = new Driver({ policy });
      d.send({ type: 'start' });
      d.send({ type: 'contested', worker: 1, key: PORT });
      d.send({ type: 'saidReady', worker: 1 });
      d.wait(1_000);
      t.same(d.slots(), ['1 starting'], policy.ready);
      d.send({ type: 'bound', worker: 1, key: PORT });
      t.same(d.slots(), ['1 ready'], 'its socket has come');
    }
    for (const event of ['closed', 'never'] as const) {
      const d = new Driver({ policy: { ready: 'message' } });
      d.send({ type: 'start' });
      d.send({ type: 'contested', worker: 1, key: PORT });
      d.send({ type: 'saidReady', worker: 1 });
      if (event === 'closed') {
        d.send({ type: 'closed', worker: 1, key: PORT });
        t.same(d.slots(), ['1 ready'], 'it has only looked at it');
        continue;
      }
      d.wait(10_000);
      d.send({ type: 'lookedAround', worker: 1, seen: null });
      t.match(d.worker(1).endReason, /not ready within .*: 0\.0\.0\.0:8080 could not be opened/);
    }
  },
);

t.test('what one that serves cannot have does not matter when it opens anew what it has closed', async (t) => {
  const d = new Driver({ policy: { ready: 'listening' } });
  d.send({ type: 'start' });
  d.bind(1);
  d.send({ type: 'contested', worker: 1, key: '0.0.0.0:9090' });
  d.send({ type: 'closed', worker: 1, key: PORT });
  t.same(d.slots(), ['1 starting']);
  d.bind(1);
  t.same(d.slots(), ['1 ready']);
});

t.test('with ready=message a worker that never says so is not ready in time', async (t) => {
  const d = new Driver({ policy: { ready: 'message' } });
  d.send({ type: 'start' });
  d.bind(1);
  d.wait(10_000);
  t.same(d.slots(), ['1 draining'], 'it may have accepted connections');
  d.clear();
  t.equal(d.done('end')[0]?.reason, `not ready within 10 s: it did not send 'ready'`);
});

t.test('only slots that still count decide whether the start has succeeded', async (t) => {
  const d = new Driver({ size: 3 });
  d.send({ type: 'start' });
  d.bind(3);
  d.crash(1, 'broken');
  d.wait(10);
  d.scale(1);
  t.same(d.done('announceStart'), [], 'the only ready one is on its way out');
  d.clear();
  t.match(d.done('end')[0]?.reason, /broken/);
});
