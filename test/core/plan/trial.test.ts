import t from 'tap';
import { Driver, PORT } from '../driver.js';

export const TRIAL = { trialMs: 2_000 };

t.test(
  'the first worker of a release is on trial, held beside the one that serves, before anything else goes on',
  async (t) => {
    const d = Driver.running({ size: 3 });
    const request = d.reload({ ...TRIAL, surge: 3 });
    t.match(d.done('spawn'), [{ worker: 4, slot: 0, generation: 2, held: true }]);
    d.bind(4);
    d.wait(1_999);
    t.same(d.slots(), ['1 ready, 2 ready', '1 ready', '1 ready']);
    t.same(d.done('accept'), []);
    d.wait(1);
    t.same(d.done('accept'), [{ do: 'accept', worker: 4 }]);
    t.same(d.slots(), ['1 draining, 2 ready', '1 ready, 2 starting', '1 ready, 2 starting'], 'with all of the surge');
    d.bindAll();
    t.equal(d.count('ready'), 3, 'no other has a trial');
    d.clear();
    t.match(d.answers.get(request), { ok: true });
    t.same(
      d.done('accept').slice(1),
      [5, 6].map((worker) => ({ do: 'accept', worker })),
    );
  },
);

t.test('a release that dies within its trial replaces nobody', async (t) => {
  for (const listenMode of ['reuseport', 'reuseaddr'] as const) {
    const d = Driver.running({ size: 2, listenMode });
    const request = d.reload({ ...TRIAL, surge: 2 });
    d.bind(3);
    d.wait(400);
    d.crash(3, 'boom');
    t.same(d.slots(), ['1 ready', '1 ready']);
    t.same([...d.done('drain'), ...d.done('accept')], [], 'nobody has noticed');
    t.match(d.answers.get(request), { ok: false, reason: /boom/ });
    t.match(d.state, { generation: 2, target: 1, stable: 1, rollout: { state: 'rolledBack', trial: null } });
  }
});

t.test('a longer soak includes the trial, a shorter one does not shorten it', async (t) => {
  for (const [soakMs, firstMs] of [
    [3_000, 3_000],
    [500, 2_000],
  ] as const) {
    const d = Driver.running({ size: 2 });
    const began = d.now;
    d.reload({ ...TRIAL, soakMs });
    d.settle();
    t.equal(d.now - began, firstMs + soakMs, 'once the trial, then the soak of the other one');
    t.same(d.slots(), ['2 ready', '2 ready']);
  }
});

t.test('without a trial all start at once, and first starts, restarts and replacements have none', async (t) => {
  const d = new Driver({ size: 2, policy: TRIAL });
  d.send({ type: 'start' });
  d.bindAll();
  t.equal(d.state.phase, 'running');
  d.crash(1);
  d.wait(75);
  d.bindAll();
  t.same(d.slots(), ['1 ready', '1 ready']);
  d.restart();
  d.settle();
  t.same(d.slots(), ['2 ready', '2 ready']);
  t.ok(d.done('spawn').every(({ held }) => !held));
  d.effects.length = 0;
  d.reload({ trialMs: 0, surge: 2 });
  t.equal(d.done('spawn').length, 2);
});

t.test('what crashes during a trial is replaced by what is proven, after its backoff', async (t) => {
  const d = Driver.running({ size: 2 });
  d.reload(TRIAL);
  d.bind(3);
  d.crash(2);
  t.same(d.slots(), ['1 ready, 2 ready', '']);
  d.wait(75);
  t.same(d.slots(), ['1 ready, 2 ready', '1 starting']);
  d.bindAll();
  d.wait(2_000);
  d.settle();
  t.same(d.slots(), ['2 ready', '2 ready']);
});

t.test('whoever is alone in the slot of the trial accepts, and is on trial all the same', async (t) => {
  const d = Driver.running({ size: 1 });
  d.reload(TRIAL);
  d.bind(2);
  d.crash(1);
  t.same(d.done('accept'), [{ do: 'accept', worker: 2 }]);
  d.wait(75);
  d.bindAll();
  t.same(d.slots(), ['2 ready, 1 ready'], 'what is proven is replaced by its like');
  d.wait(2_000);
  t.same(d.slots(), ['2 ready, 1 draining']);
});

t.test('the trial is where somebody serves', async (t) => {
  const d = Driver.running({ size: 2, policy: { backoffBaseMs: 10_000 } });
  d.crash(1);
  d.reload(TRIAL);
  t.match(d.done('spawn'), [{ slot: 1, held: true }]);
  t.same(d.slots(), ['', '1 ready, 2 starting']);
  d.bind(3);
  d.wait(2_000);
  t.same(d.slots(), ['2 starting', '1 ready, 2 ready'], 'then the empty seat is filled, whatever its backoff was');
});

t.test('a release that is superseded while on trial goes, and its slots stay as they are', async (t) => {
  const d = Driver.running({ size: 2 });
  const first = d.reload(TRIAL);
  d.bind(3);
  const second = d.reload(TRIAL);
  t.same(d.slots(), ['1 ready, 2 draining, 3 starting', '1 ready']);
  d.clear();
  d.settle();
  t.same(d.slots(), ['3 ready', '3 ready']);
  t.match([d.answers.get(first), d.answers.get(second)], [{ ok: true }, { ok: true }]);
});

t.test('during a trial nothing goes back to the generation before that one either', async (t) => {
  const d = Driver.running({ size: 2 });
  d.reload({ trialMs: 0 });
  d.bind(3);
  t.same(d.slots(), ['1 draining, 2 ready', '1 ready, 2 starting']);
  d.clear();
  d.reload(TRIAL);
  t.same(d.slots(), ['2 ready, 3 starting', '1 ready, 2 terminating']);
  d.settle();
  t.same(d.slots(), ['3 ready', '3 ready']);
});

t.test('a scale-down takes the slot of the trial away: another one has it', async (t) => {
  const d = Driver.running({ size: 2, policy: { backoffBaseMs: 10_000 } });
  d.crash(1);
  d.reload(TRIAL);
  d.bind(3);
  d.scale(1);
  t.match(d.state.rollout.trial, { slot: 0 });
  d.settle();
  t.same(d.slots(), ['2 ready']);
});

t.test('a canary has its trial as a canary; one that is promoted before has it in a slot', async (t) => {
  const canary = { share: 0.05, forMs: 60_000 };
  const d = Driver.running({ size: 1, policy: TRIAL });
  d.send({ type: 'reload', request: 1, policy: d.policy, size: null, canary });
  d.bind(2);
  d.wait(1_999);
  t.equal(d.state.rollout.canary?.until, null);
  d.wait(1);
  t.equal(d.state.rollout.canary?.until, d.now + 60_000);
  d.send({ type: 'promote', request: 2 });
  t.match(d.state, { target: 2, rollout: { trial: null } });
  d.settle();
  d.send({ type: 'reload', request: 3, policy: d.policy, size: null, canary });
  d.bind(d.in(1));
  d.send({ type: 'promote', request: 4 });
  t.match(d.state, { target: 2, rollout: { trial: { slot: 0 } } });
  d.settle();
  t.same(d.slots(), ['3 ready']);
});

t.test(
  "who opens an address that nobody serves is on trial all the same, and gets nobody else's clients",
  async (t) => {
    const d = Driver.running();
    d.reload(TRIAL);
    d.bind(2, PORT, '0.0.0.0:9090');
    t.same(d.done('accept'), []);
    d.wait(1_999);
    t.same(d.done('accept'), []);
    d.wait(1);
    t.same(d.done('accept'), [{ do: 'accept', worker: 2 }]);
  },
);

t.test('what its predecessor gives up while it is on trial has clients, and they do not wait', async (t) => {
  const other = '0.0.0.0:9090';
  const d = Driver.running({}, PORT, other);
  d.reload(TRIAL);
  d.bind(2, PORT, other);
  d.send({ type: 'closed', worker: 1, key: other });
  t.same(d.done('accept'), [{ do: 'accept', worker: 2 }]);
});

t.test('a release that is rolled back or superseded on trial accepts nobody any more', async (t) => {
  for (const end of ['abort', 'reload'] as const) {
    const d = Driver.running();
    d.reload(TRIAL);
    d.bind(2);
    if (end === 'reload') d.reload(TRIAL);
    else d.send({ type: 'abort', request: 77 });
    t.equal(d.worker(2).state, 'draining');
    t.same(d.done('accept'), [], end);
  }
});

t.test('a release that closes and opens its server again and again has an end', async (t) => {
  const d = Driver.running({ policy: { ...TRIAL, readyTimeoutMs: 5_000 } });
  const request = d.reload({ ...TRIAL, readyTimeoutMs: 5_000 });
  for (let times = 0; times < 20 && !d.answers.has(request); times++) {
    d.bind(2);
    d.wait(1_200);
    d.send({ type: 'closed', worker: 2, key: PORT });
    d.wait(200);
    if (d.worker(2).state !== 'starting') break;
  }
  d.clear();
  t.match(d.answers.get(request), { ok: false, reason: `closed ${PORT} by itself again` });
});

t.test('crashes of what a release on trial would replace do not end the supervisor', async (t) => {
  const policy = { maxRestarts: 2, onCrashLoop: 'exit' } as const;
  const d = Driver.running({ size: 2, policy });
  for (let crash = 0; crash < 2; crash++) {
    d.crash(d.in(1));
    d.wait(10_000);
    d.bind(d.in(1));
  }
  const request = d.reload({ ...policy, ...TRIAL });
  d.bind(d.in(0));
  d.crash(d.in(1));
  t.equal(d.state.givesUp, false);
  d.wait(10_000);
  d.settle();
  t.match(d.answers.get(request), { ok: true });
});

t.test('two predecessors of one slot stay while others are down, and the superseded one goes first', async (t) => {
  const d = Driver.running({ size: 3, policy: { soakMs: 1_000, backoffBaseMs: 60_000, backoffMaxMs: 60_000 } });
  d.wait(1_000);
  d.reload();
  d.bindAll();
  d.crash(d.in(1));
  d.reload(TRIAL);
  d.clear();
  d.crash(d.in(1));
  d.crash(d.in(2));
  d.bind(d.in(0));
  t.same(d.slots(), ['1 ready, 2 ready, 3 ready', '', '']);
  d.wait(2_000);
  t.same(d.slots(), ['1 ready, 2 ready, 3 ready', '3 starting', ''], 'three of three accept');
  d.bind(d.in(1));
  d.wait(1_000);
  t.same(d.slots(), ['1 ready, 2 draining, 3 ready', '3 ready', '3 starting']);
  d.settle();
  t.same(d.slots(), Array(3).fill('3 ready'));
});
