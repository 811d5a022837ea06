import t from 'tap';
import { judgeProbe } from '../../../src/core/probes.js';
import { REOPEN_MS } from '../../../src/core/worker/loss.js';
import { Driver, PORT } from '../driver.js';

const OTHER = '0.0.0.0:9090';
const CHOSEN = '127.0.0.1:0#0';

/** A look whether the port is free. */
function look(d: Driver, id: number, key = PORT): void {
  d.open(id, key);
  d.send({ type: 'bound', worker: id, key });
  d.send({ type: 'closed', worker: id, key });
}

function close(d: Driver, id: number, key = PORT): void {
  d.send({ type: 'closed', worker: id, key });
}

t.test('who only looks whether the port is free is not ready, and is once it really listens', async (t) => {
  const d = new Driver({ size: 1 });
  d.send({ type: 'start' });
  look(d, 1);
  t.same(d.slots(), ['1 starting']);
  // Of the server that has been closed: it may be said late.
  d.send({ type: 'stayed', worker: 1, key: PORT });
  t.same(d.slots(), ['1 starting']);
  d.bind(1);
  t.same(d.slots(), ['1 ready']);
});

t.test('a release that looks and then dies, or never listens, is rolled back with the reason', async (t) => {
  for (const end of ['exit', 'time'] as const) {
    const d = Driver.running({ size: 2 });
    const request = d.reload();
    look(d, 3);
    if (end === 'exit') d.crash(3);
    else d.wait(10_000);
    t.same([d.count('ready'), d.done('drain').length], [2, 0]);
    d.clear();
    const reason = end === 'exit' ? /before it was ready/ : /listened on 0\.0\.0\.0:8080 for a moment only/;
    t.match(d.answers.get(request), { ok: false, reason });
  }
});

t.test('on trial a closed address takes readiness back, and with it the time that has passed', async (t) => {
  const d = Driver.running({ size: 1 });
  d.reload({ trialMs: 2_000 });
  d.bind(2);
  d.wait(1_500);
  close(d, 2);
  t.same(d.slots(), ['1 ready, 2 starting']);
  d.bind(2);
  d.wait(1_999);
  t.same(d.slots(), ['1 ready, 2 ready']);
  d.wait(1);
  t.same(d.slots(), ['1 draining, 2 ready']);
});

t.test('on trial it has its time to become ready, and is then rolled back', async (t) => {
  const d = Driver.running({ size: 1 });
  const request = d.reload({ trialMs: 2_000 });
  d.wait(1_000);
  d.bind(2);
  d.wait(1_000);
  close(d, 2);
  d.wait(7_999);
  t.same(d.slots(), ['1 ready, 2 starting']);
  d.wait(1);
  d.clear();
  t.match(d.answers.get(request), { ok: false, reason: /has closed 0\.0\.0\.0:8080 by itself/ });
  t.same(d.slots(), ['1 ready']);
});

t.test('a ready worker that closes its server is not ready, and soon has a successor', async (t) => {
  const d = Driver.running({ size: 1 });
  d.wait(5_000);
  close(d, 1);
  t.same(d.slots(), ['1 starting']);
  t.match(judgeProbe('readyz', d.state), { ok: false, reason: 'no worker is ready' });
  d.wait(REOPEN_MS - 1);
  t.same(d.done('drain'), []);
  d.wait(1);
  t.match(d.done('drain'), [{ worker: 1, addresses: [PORT] }], 'what it has accepted is finished');
  t.same(d.slots(), ['1 draining, 1 starting'], 'at once, since nobody serves');
  d.bindAll();
  t.match(judgeProbe('readyz', d.state), { ok: true });
  t.match(d.state.slots[0], { restarts: 1, reason: /has closed 0\.0\.0\.0:8080 by itself/ });
});

t.test('beside siblings its successor comes after the backoff, and they take its connections', async (t) => {
  const d = Driver.running({ size: 2 });
  close(d, 1);
  d.wait(REOPEN_MS);
  t.match(d.done('drain'), [{ worker: 1, recipients: [2] }]);
  t.same(d.slots(), ['1 draining', '1 ready']);
  d.wait(75);
  t.same(d.slots(), ['1 draining, 1 starting', '1 ready']);
});

t.test('who listens again in time is ready again', async (t) => {
  const d = Driver.running({ size: 1 });
  close(d, 1);
  d.wait(REOPEN_MS - 1);
  d.bind(1);
  d.wait(60_000);
  t.same(d.slots(), ['1 ready']);
  t.same(d.done('drain'), []);
});

t.test('while nothing has been announced, it has all of its time', async (t) => {
  const d = new Driver({ size: 2 });
  d.send({ type: 'start' });
  d.bind(1);
  close(d, 1);
  d.wait(5_000);
  d.bindAll();
  t.same(d.slots(), ['1 ready', '1 ready']);
  t.equal(d.state.phase, 'running');
});

t.test('one that has closed its server and ends has crashed', async (t) => {
  const d = Driver.running({ size: 1 });
  close(d, 1);
  d.crash(1);
  t.same(d.slots(), ['1 starting']);
  t.match(d.state.slots[0]?.reason, /after it had closed its server by itself/);
});

t.test('health is asked anew of one that listens again', async (t) => {
  const d = Driver.running({ size: 1 });
  d.reload({ health: true, soakMs: 1_000 });
  d.bind(2);
  d.send({ type: 'healthTold', worker: 2, reason: null });
  close(d, 2);
  d.bind(2);
  t.same(d.slots(), ['1 ready, 2 starting']);
  d.wait(1_000);
  d.send({ type: 'healthTold', worker: 2, reason: null });
  t.same(d.slots(), ['1 ready, 2 ready']);
});

t.test('one of several addresses, which the others of its generation serve: a fault of that worker', async (t) => {
  const d = Driver.running({ size: 2 }, PORT, OTHER);
  close(d, 1, OTHER);
  t.same(d.slots(), ['1 ready', '1 ready'], 'it serves on the other one');
  d.wait(REOPEN_MS);
  t.match(d.done('drain'), [{ worker: 1 }]);
  t.match(d.state.slots[0]?.reason, /has closed 0\.0\.0\.0:9090 by itself, where others of its generation serve/);
});

t.test('one that all have closed is given up, and a successor need not have it', async (t) => {
  for (const size of [1, 3]) {
    const d = Driver.running({ size }, PORT, OTHER);
    for (const { id } of d.state.workers) {
      close(d, id, OTHER);
      d.wait(10);
    }
    d.wait(60_000);
    t.equal(d.count('ready'), size);
    t.same(d.done('drain'), []);
    d.crash(1);
    const request = d.reload();
    d.settle(PORT);
    t.match(d.answers.get(request), { ok: true });
  }
});

t.test('one that is opened again in time is not missed', async (t) => {
  const d = Driver.running({ size: 2 }, PORT, OTHER);
  close(d, 1, OTHER);
  d.bind(1, OTHER);
  d.wait(60_000);
  t.same(d.done('drain'), []);
});

t.test('ports of the kernel come and go', async (t) => {
  const d = Driver.running({ size: 2 }, PORT, CHOSEN);
  close(d, 1, CHOSEN);
  d.wait(60_000);
  t.same(d.done('drain'), []);
  close(d, 1);
  t.same(d.slots(), ['1 starting', '1 ready'], 'but that was the last one');
});

t.test('who says by itself that it is ready must keep what it serves on, but for ports of the kernel', async (t) => {
  const d = new Driver({ size: 1, policy: { ready: 'message' } });
  d.send({ type: 'start' });
  d.send({ type: 'saidReady', worker: 1 });
  d.bind(1, CHOSEN);
  close(d, 1, CHOSEN);
  t.same(d.slots(), ['1 ready']);
  d.bind(1);
  close(d, 1);
  t.same(d.slots(), ['1 starting']);
});

t.test('a worker that has lost its server before a reload goes at once, and finishes what it has', async (t) => {
  const d = Driver.running({ size: 2 });
  close(d, 1);
  d.reload();
  t.match(d.done('drain'), [{ worker: 1, addresses: [PORT] }]);
  t.same(d.done('terminate'), []);
});

t.test('workers that share no address are told of', async (t) => {
  const d = new Driver({ size: 3 });
  const told: unknown[] = [];
  d.onReport = ({ message, fields }) => {
    if (message === 'workers listen on different addresses') told.push(fields);
  };
  d.send({ type: 'start' });
  d.bind(1, PORT, OTHER);
  d.bind(2, OTHER);
  t.same(told, [], 'one in common is enough');
  d.bind(3, CHOSEN);
  t.match(told, [{ slot: 2, addresses: [CHOSEN], otherSlot: 0, otherAddresses: [PORT, OTHER] }]);
});

t.test('where one of its generation has never looked, the next one counts as soon as it listens', async (t) => {
  const d = Driver.running({ size: 3 });
  for (const [seen, after] of [
    ['1 ready', '1 ready'],
    ['1 ready', '1 starting'],
  ] as const) {
    if (after !== seen) for (const id of [d.in(1), d.in(2)]) look(d, id, OTHER);
    d.crash(d.in(0));
    d.wait(1_000);
    d.open(d.in(0), PORT);
    d.send({ type: 'bound', worker: d.in(0), key: PORT });
    t.same(d.slots(), [after, '1 ready', '1 ready']);
  }
});

t.test('one that only looks, though no other of its generation did, has all of its time to become ready', async (t) => {
  const d = Driver.running({ size: 2 });
  d.crash(1);
  d.wait(75);
  const id = d.in(0);
  look(d, id);
  t.same(d.slots(), ['1 starting', '1 ready']);
  d.wait(9_000);
  d.bind(id);
  t.same(d.slots(), ['1 ready', '1 ready']);
  t.equal(d.state.slots[0]?.restarts, 1);
});

t.test('people are told of a port that the kernel has chosen by its number, at its end as well', async (t) => {
  const d = new Driver();
  const told: unknown[] = [];
  d.onReport = ({ message, fields }) => {
    if (message === 'worker bound' || message === 'worker closed') told.push(fields.address);
    if (message === 'worker no longer ready') told.push(fields.closed);
  };
  d.send({ type: 'start' });
  d.open(1, CHOSEN);
  d.send({ type: 'bound', worker: 1, key: CHOSEN, address: '0.0.0.0:40123' });
  d.send({ type: 'stayed', worker: 1, key: CHOSEN });
  d.send({ type: 'closed', worker: 1, key: CHOSEN });
  t.same(told, ['0.0.0.0:40123', '0.0.0.0:40123', ['0.0.0.0:40123']]);
});
