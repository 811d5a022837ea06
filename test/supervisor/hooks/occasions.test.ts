import t from 'tap';
import { Occasions } from '../../../src/supervisor/hooks/occasions.js';

t.test('a rollout that is done is an occasion, with the generation before', async (t) => {
  const occasions = new Occasions();
  t.equal(occasions.take('rollout started', { generation: 4, from: 2 }, 2), null);
  t.equal(occasions.take('worker ready', { slot: 0 }, 2), null);
  t.same(occasions.take('rollout done', { generation: 4 }, 4), {
    ...{ event: 'reloaded', generation: 4, otherGeneration: 2, slot: null, reason: null },
  });
});

t.test('one that was rolled back is an occasion when that is done, with its generation and the reason', async (t) => {
  const occasions = new Occasions();
  occasions.take('rollout started', { generation: 4, from: 2 }, 2);
  t.equal(occasions.take('rollback started', { generation: 4, to: 2, reason: 'it crashed' }, 2), null);
  t.same(occasions.take('rollback done', { generation: 2, reason: 'it crashed' }, 2), {
    ...{ event: 'rolledBack', generation: 2, otherGeneration: 4, slot: null, reason: 'it crashed' },
  });
});

t.test('a crash loop is one occasion, however many slots are in it, until it is over', async (t) => {
  const occasions = new Occasions();
  const fields = { slot: 1, crashes: 11, restartWindowMs: 60_000, maxRestarts: 10 };
  t.same(occasions.take('crash loop', fields, 2), {
    ...{ event: 'crashLoop', generation: 2, otherGeneration: null, slot: 1 },
    reason: 'slot 1 crashed more than 10 times within 60 s',
  });
  t.equal(occasions.take('crash loop', { ...fields, slot: 0 }, 2), null);
  t.equal(occasions.take('crash loop over', {}, 2), null);
  t.match(occasions.take('crash loop', { ...fields, slot: 0 }, 2), { event: 'crashLoop', slot: 0 });
});
