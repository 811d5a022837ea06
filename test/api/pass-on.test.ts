import t from 'tap';
import { passOn } from '../../src/api/pass-on.js';
import { HoldfastError } from '../../src/errors.js';
import type { SupervisorEvent } from '../../src/protocol/events.js';

const event = (id: number) => ({ id, type: 'crashLoopOver' }) as SupervisorEvent;

/** One connection after the other: what is told, and how it ends. */
function connections(...all: readonly { readonly ids: readonly number[]; readonly error?: Error }[]) {
  const left = [...all];
  return async function* () {
    const { ids, error } = left.shift() ?? { ids: [], error: new Error('one connection too many') };
    for (const id of ids) yield event(id);
    if (error !== undefined) throw error;
  } as () => AsyncGenerator<SupervisorEvent, void, void>;
}

t.test('a program that was too slow hears of what happens then, and is done when the supervisor is', async (t) => {
  const seen: number[] = [];
  const slow = new HoldfastError('CUT_OFF', 'too slow');
  await passOn(connections({ ids: [1, 2], error: slow }, { ids: [], error: slow }, { ids: [7] }), ({ id }) => {
    seen.push(id);
  });
  t.same(seen, [1, 2, 7]);
  const lost = new HoldfastError('CONNECTION_LOST', 'gone');
  await passOn(connections({ ids: [1], error: lost }), ({ id }) => seen.push(id));
  t.same(seen, [1, 2, 7, 1]);
});

t.test('what a listener throws is not swallowed', async (t) => {
  const error = new Error('of the program');
  await t.rejects(
    passOn(connections({ ids: [1, 2] }), () => {
      throw error;
    }),
    error,
  );
});
