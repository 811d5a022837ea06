import t from 'tap';
import { type DrainHandler, onDrain, ready, status } from '../src/index.js';

const SYMBOL = Symbol.for('holdfast.worker');

t.test('outside of a worker nothing happens', async (t) => {
  t.equal(status(), null);
  ready();
  const takeBack = onDrain(() => {
    t.fail('it is never called');
  });
  takeBack();
});

t.test('in a worker it passes on what the preload offers', async (t) => {
  const said: unknown[] = [];
  const api = {
    name: 'shop',
    slot: 1,
    generation: 3,
    worker: 7,
    isDraining: () => true,
    ready: () => said.push('ready'),
    onDrain: (handler: DrainHandler) => {
      said.push(handler);
      return () => said.push('taken back');
    },
  };
  Object.defineProperty(globalThis, SYMBOL, { value: api, configurable: true });
  t.teardown(() => Reflect.deleteProperty(globalThis, SYMBOL));
  t.same(status(), { name: 'shop', slot: 1, generation: 3, worker: 7, draining: true });
  ready();
  const handler = () => {};
  onDrain(handler)();
  t.same(said, ['ready', handler, 'taken back']);
});

t.test('what is no function is refused at once, inside and outside', async (t) => {
  t.throws(() => onDrain('no' as unknown as DrainHandler), { name: 'TypeError', message: /must be a function/ });
});
