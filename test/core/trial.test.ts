import t from 'tap';
import { Driver, PORT } from './driver.js';

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

t.test('without health and soak there is nothing to wait for', async (t) => {
  const d = Driver.running({ size: 1 });
  d.reload();
  t.match(d.done('spawn'), [{ worker: 2, held: false }]);
});

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
  t.same(d.done('accept'), [{ do: 'accept', worker: 4 }]);
});
