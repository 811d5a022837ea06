import t from 'tap';
import { failedEffect } from '../../src/core/failed-effect.js';
import { Driver, PORT } from './driver.js';

t.test('a worker that cannot be started has exited, and is tried again later', async (t) => {
  const d = Driver.running({ size: 2 });
  d.crash(1);
  const [spawn] = d.wait(75);
  if (spawn?.do !== 'spawn') throw new Error('nothing was started');
  const event = failedEffect(spawn, 'generation 3 has no release', 0.5);
  t.match(event, { type: 'exited', worker: spawn.worker, code: null, signal: null });
  if (event !== null) d.send(event);
  t.same(d.slots(), ['', '1 ready']);
  t.match(d.state.slots[0]?.reason, /generation 3 has no release/);
  d.wait(10_000);
  t.same(d.slots(), ['1 starting', '1 ready']);
});

t.test('a reload whose workers cannot be started is rolled back with the reason', async (t) => {
  const d = Driver.running();
  const request = d.reload();
  const [spawn] = d.done('spawn');
  const event = spawn && failedEffect(spawn, 'spawn EMFILE', 0.5);
  if (event != null) d.send(event);
  t.match(d.answers.get(request), { ok: false, reason: /EMFILE/ });
});

t.test('who cannot be asked to drain is told to end', async (t) => {
  const d = Driver.running({ size: 2 });
  d.scale(1);
  const [drain] = d.done('drain');
  const event = drain && failedEffect(drain, 'EIO', 0);
  if (event != null) d.send(event);
  t.same(d.done('terminate'), [{ do: 'terminate', worker: 2 }]);
});

t.test('who cannot be told to accept is replaced', async (t) => {
  const d = Driver.running();
  d.reload({ soakMs: 100 });
  d.bindAll();
  d.wait(100);
  const [accept] = d.done('accept');
  const event = accept && failedEffect(accept, 'EIO', 0);
  if (event != null) d.send(event);
  t.match(d.slots()[0], /2 draining/);
});

t.test('a canary that cannot be judged does not take over', async (t) => {
  const d = Driver.running();
  d.send({
    type: 'reload',
    request: 1,
    policy: d.policy,
    size: null,
    canary: { share: 0.5, forMs: 100 },
  });
  d.bindAll();
  d.wait(100);
  const [judge] = d.done('judgeCanary');
  const event = judge && failedEffect(judge, 'EIO', 0);
  if (event != null) d.send(event);
  d.clear();
  t.match(d.answers.get(1), { ok: false, reason: /cannot be compared: EIO/ });
});

t.test(
  'a health question that cannot be asked is answered, and a hung worker that cannot be looked into is killed',
  async (t) => {
    const told = failedEffect({ do: 'askHealth', worker: 7 }, 'EIO', 0);
    t.same(told, { type: 'healthTold', worker: 7, reason: 'it cannot be asked: EIO' });
    t.same(failedEffect({ do: 'diagnose', worker: 7 }, 'EIO', 0), { type: 'diagnosed', worker: 7 });
  },
);

t.test('what has a deadline, or nobody waits for, leads to nothing', async (t) => {
  t.equal(failedEffect({ do: 'terminate', worker: 7 }, 'EIO', 0), null);
  t.equal(failedEffect({ do: 'link', worker: 7, recipients: [], addresses: [] }, 'EIO', 0), null);
});

t.test('who cannot be asked to adopt has refused, and another one is asked', async (t) => {
  const d = Driver.running({ size: 3 });
  const [adopt] = d.crash(1);
  const event = adopt && failedEffect(adopt, 'EPIPE', 0);
  t.match(event, { type: 'notAdopted', worker: 2, socket: { slot: 0, key: PORT } });
  if (event != null) t.match(d.send(event), [{ do: 'adopt', worker: 3, socket: { slot: 0 } }]);
});

t.test('a socket that cannot be closed is still there, and its end is tried again', async (t) => {
  const d = Driver.running({ size: 2, steered: true });
  d.scale(1);
  d.clear();
  d.wait(5_000);
  const [close] = d.send({ type: 'released', worker: 1, socket: { slot: 1, key: PORT } });
  if (close?.do !== 'closeSocket') throw new Error('it is not closed');
  const event = failedEffect(close, 'EIO', 0);
  if (event !== null) d.send(event);
  t.match(d.done('adopt').at(-1), { worker: 1, socket: close.socket }, 'served meanwhile');
  d.wait(5_000);
  t.same(d.send({ type: 'released', worker: 1, socket: close.socket }), [close]);
});

t.test('a worker that cannot be taken over goes, and another one starts', async (t) => {
  const d = new Driver();
  d.send({ type: 'orphansFound', orphans: [{ worker: 1, slot: 0, generation: 1, pid: 7 }] });
  d.send({
    ...{ type: 'attached', worker: 1, slot: 0, generation: 1, pid: 7, uptimeMs: 0, saidReady: false, held: false },
    ...{ listening: [PORT], steady: [PORT], draining: false, drained: false },
  });
  const [takeIn] = d.done('takeIn');
  const event = takeIn && failedEffect(takeIn, 'EMFILE', 0);
  if (event != null) d.send(event);
  t.match(d.done('drain'), [{ worker: 1 }]);
  d.wait(75);
  t.match(d.done('spawn'), [{ worker: 2, slot: 0 }]);
});

t.test('where sockets cannot be asked for they cannot be had', async (t) => {
  const event = failedEffect({ do: 'seize', worker: 1 }, 'EMFILE', 0);
  t.same(event, { type: 'seized', worker: 1, reason: 'EMFILE' });
});
