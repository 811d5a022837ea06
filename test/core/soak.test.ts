import t from 'tap';
import { Driver, PORT } from './driver.js';
import { TRIAL } from './plan/trial.test.js';

const SOAK = { soakMs: 3_000 };

t.test('a release that soaks accepts nothing before it has, and before its predecessor goes', async (t) => {
  const d = Driver.running({ size: 1 });
  d.reload(SOAK);
  t.match(d.done('spawn'), [{ worker: 2, held: true }]);
  d.bind(2);
  d.wait(2_999);
  t.same(d.done('accept'), []);
  d.wait(1);
  t.same(
    d.effects.filter((effect) => effect.do === 'accept' || effect.do === 'drain').map((effect) => effect.do),
    ['accept', 'drain'],
  );
});

t.test('without a trial, health and soak a worker accepts as soon as it is ready, and not before', async (t) => {
  for (const listenMode of ['reuseport', 'reuseaddr'] as const) {
    const d = Driver.running({ size: 1, listenMode });
    d.reload({ ready: 'message' });
    t.match(d.done('spawn'), [{ worker: 2, held: true }]);
    d.send({ type: 'bound', worker: 2, key: PORT });
    d.send({ type: 'stayed', worker: 2, key: PORT });
    d.send({ type: 'closed', worker: 2, key: PORT });
    d.bind(2);
    t.same(d.done('accept'), [], 'it may have looked at the port, for however long');
    t.match(d.send({ type: 'saidReady', worker: 2 }), [
      { do: 'accept', worker: 2 },
      { do: 'drain', worker: 1 },
    ]);
  }
});

t.test('a worker that is not ready accepts once nobody else serves its clients', async (t) => {
  const d = Driver.running({ size: 2 });
  d.reload();
  d.send({ type: 'bound', worker: 3, key: PORT });
  d.crash(2);
  t.same(d.done('accept'), [], 'that was another slot');
  d.crash(1);
  t.same(d.done('accept'), [{ do: 'accept', worker: 3 }]);
  const shared = Driver.running({ size: 2, listenMode: 'reuseaddr' });
  shared.reload();
  shared.crash(1);
  t.same(shared.done('accept'), []);
  shared.crash(2);
  const both = [3, 4].map((worker) => ({ do: 'accept', worker }));
  t.same(shared.done('accept'), both, 'and so does the one that takes the place of the first');
});

t.test(
  'what takes the place of another beside those who serve is held until it is ready, whatever its release asks',
  async (t) => {
    const d = Driver.running({ size: 2, listenMode: 'reuseaddr', policy: SOAK });
    d.wait(3_000);
    d.crash(1);
    d.wait(100);
    t.match(d.done('spawn').at(-1), { worker: 3, held: true });
    d.bind(3);
    t.same(d.done('accept'), [{ do: 'accept', worker: 3 }]);
  },
);

t.test(
  'where the first worker of a release has closed what counted already, those after it have a trial as well',
  async (t) => {
    const d = Driver.running({ size: 3 });
    d.reload(TRIAL);
    const look = (worker: number, ms: number) => {
      d.bind(worker);
      d.wait(ms);
      d.send({ type: 'closed', worker, key: PORT });
    };
    look(4, 1_500);
    d.wait(300);
    d.bind(4);
    d.wait(2_000);
    t.match(d.done('spawn').at(-1), { worker: 5, slot: 1, held: true });
    look(5, 1_900);
    t.same(d.done('accept'), [{ do: 'accept', worker: 4 }]);
    t.same(d.slots(), ['1 draining, 2 ready', '1 ready, 2 starting', '1 ready']);
    d.bind(5);
    d.wait(1_999);
    t.same(d.done('accept'), [{ do: 'accept', worker: 4 }]);
    d.wait(1);
    t.same(d.done('accept').at(-1), { do: 'accept', worker: 5 });
    d.bind(6);
    d.wait(2_000);
    d.reload(TRIAL);
    t.equal(d.state.rollout.trialForEach, false, 'the next release is another one');
  },
);

t.test('whoever would be the only one accepts as soon as it is ready', async (t) => {
  const d = Driver.running({ size: 2 });
  d.reload({ ...SOAK, surge: 2 });
  d.bind(3);
  d.crash(1);
  t.same(d.done('accept'), [{ do: 'accept', worker: 3 }]);
  const shared = Driver.running({ size: 2, listenMode: 'reuseaddr' });
  shared.reload({ ...SOAK, surge: 2 });
  shared.bind(3);
  shared.crash(1);
  t.same(shared.done('accept'), [], 'the other one accepts on the socket that all share');
  shared.crash(2);
  t.same(shared.done('accept'), [{ do: 'accept', worker: 3 }]);
});

t.test('an address that its predecessor has given up is accepted on at once', async (t) => {
  const d = Driver.running({ size: 1 });
  d.reload(SOAK);
  d.bind(2);
  d.send({ type: 'closed', worker: 1, key: PORT });
  t.same(d.done('accept'), [{ do: 'accept', worker: 2 }]);
});

t.test('first starts and replacements of crashes are not on trial', async (t) => {
  const d = new Driver({ size: 1, policy: SOAK });
  d.send({ type: 'start' });
  d.bindAll();
  d.crash(1);
  d.wait(100);
  t.match(d.done('spawn'), [{ held: false }, { held: false }]);
});

t.test('a sibling serves a socket whose only worker is held', async (t) => {
  const d = Driver.running({ size: 2, steered: true });
  d.reload({ ...SOAK, health: true, surge: 2 });
  d.bind(3);
  d.crash(1);
  t.match(d.done('adopt'), [{ worker: 2, socket: { slot: 0 } }]);
});

t.test('with a surge of all, all start at once', async (t) => {
  const d = Driver.running({ size: 8 });
  d.reload({ surge: 8 });
  t.equal(d.count('starting'), 8);
  t.equal(d.count('ready'), 8);
});

t.test('the last one on an address is let in, also where its release has been superseded', async (t) => {
  const chosenByKernel = '127.0.0.1:0#0';
  const d = Driver.running({ size: 2, listenMode: 'reuseaddr' });
  d.send({ type: 'socketOpened', socket: { slot: null, key: chosenByKernel } });
  d.send({ type: 'bound', worker: 1, key: chosenByKernel });
  d.reload({ ...SOAK, surge: 2 });
  d.bind(4);
  d.send({ type: 'bound', worker: 4, key: chosenByKernel });
  d.crash(2);
  d.reload();
  t.same(d.done('accept'), []);
  d.bind(5);
  t.match(d.done('drain').at(-1), { worker: 1 });
  t.same(d.done('accept').at(-1), { do: 'accept', worker: 4 });
});
