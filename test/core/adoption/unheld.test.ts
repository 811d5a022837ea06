import t from 'tap';
import { initialTable } from '../../../src/core/adoption/table.js';
import type { HeldSocket } from '../../../src/core/adoption/types.js';
import { unheldSockets } from '../../../src/core/adoption/unheld.js';

const held = (slot: number, more: Partial<HeldSocket>): HeldSocket => ({
  ...{ slot, key: 'a', listened: true, served: true, fromBefore: false, holders: [], widened: [], congested: false },
  ...{ helpers: [], retiredSince: null, closing: false, unusedSince: null, loans: [], ...more },
});

t.test('a socket that only custody has is told of, where connections can wait in it', async (t) => {
  const sockets = [
    held(0, { holders: [1] }),
    held(1, {}),
    held(2, { listened: false }),
    held(3, { loans: [{ worker: 1, state: 'adopted' }] }),
    held(4, { loans: [{ worker: 1, state: 'refused' }] }),
    held(5, { loans: [{ worker: 1, state: 'releasing' }] }),
  ];
  const unheld = unheldSockets({ ...initialTable(true), sockets });
  t.same(
    unheld.map(({ slot }) => slot),
    [1, 4, 5],
  );
});
