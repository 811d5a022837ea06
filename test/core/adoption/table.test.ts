/** The table by itself: what it is told of the workers is written down here, and no core is asked. */
import t from 'tap';
import { HANDSHAKE_MS } from '../../../src/core/adoption/retirement.js';
import { initialTable, nextTableDeadline, stepTable } from '../../../src/core/adoption/table.js';
import type { Acceptor, Acceptors, SocketEffect, SocketEvent } from '../../../src/core/adoption/types.js';
import type { Standing } from '../../../src/core/state/standing.js';

const KEY = '0.0.0.0:80';
const socket = (slot: number) => ({ slot, key: KEY });

function worker(id: number, slot: number, standing: Standing = 'serving', listening = [KEY]): Acceptor {
  return { id, slot, standing, listening };
}

function acceptors(workers: readonly Acceptor[], change: Partial<Acceptors> = {}): Acceptors {
  const { size = 2 } = change;
  const isFull = (slot: number) => workers.some((one) => one.slot === slot && one.standing === 'serving');
  const slots = Array.from({ length: size }, (_none, slot) => slot);
  const seats = slots.map((slot) => ({ slot, isAwaiting: !isFull(slot), expected: [] }));
  return { stage: 'up', size, canary: null, settled: true, seats, patienceMs: 1_000, workers, ...change };
}

/** Worker 1 in slot 0, worker 2 in slot 1, and so on; each listens. */
function rig(size: number, steered = true) {
  const table = initialTable(steered);
  const all = Array.from({ length: size }, (_none, slot) => worker(slot + 1, slot));
  const tell = (workers: readonly Acceptor[] | null, now: number, ...events: SocketEvent[]): SocketEffect[] => {
    const told = workers === null ? null : acceptors(workers, { size });
    const { effects, faults } = stepTable(table, events, told, now);
    if (faults[0] !== undefined) throw faults[0].error;
    return effects.filter((effect) => effect.do !== 'report');
  };
  tell(all, 0, ...all.map(({ slot }): SocketEvent => ({ type: 'socketOpened', socket: socket(slot) })));
  tell(all, 0, ...all.map(({ id }): SocketEvent => ({ type: 'bound', worker: id, key: KEY })));
  return { table, all, tell };
}

t.test('a look is dealt with by what the core has told before', async (t) => {
  const { tell } = rig(3);
  const found: SocketEvent = { type: 'congested', socket: socket(0), helpers: [2, 1] };
  t.same(tell(null, 5, found), [{ do: 'adopt', worker: 3, socket: socket(0) }]);
  t.same(tell(null, 6, { type: 'relieved', socket: socket(0) }), [{ do: 'release', worker: 3, socket: socket(0) }]);
});

t.test('all that one look has found goes to those who have the least to do for others', async (t) => {
  const { tell, all } = rig(4);
  const alone = all.filter(({ slot }) => slot > 1);
  const effects = tell(alone, 5);
  t.same(effects, [
    { do: 'adopt', worker: 3, socket: socket(0) },
    { do: 'adopt', worker: 4, socket: socket(1) },
  ]);
});

t.test('who is held, comes, goes or has ended adopts nothing', async (t) => {
  for (const standing of ['held', 'coming', 'leaving', 'ended'] as const) {
    const { tell } = rig(2);
    t.same(tell([worker(2, 1, standing)], 5), [], standing);
  }
});

t.test('a worker that comes accepts on its own socket, one that is held does not', async (t) => {
  const successor = (standing: Standing) => [worker(3, 0, standing), worker(2, 1)];
  t.same(rig(2).tell(successor('coming'), 5), []);
  t.same(rig(2).tell(successor('held'), 5), [{ do: 'adopt', worker: 2, socket: socket(0) }]);
});

t.test('an adopter that goes may hold the socket until it has ended, and another one is asked meanwhile', async (t) => {
  const { tell, table, all } = rig(3);
  const [, second, third] = all as [Acceptor, Acceptor, Acceptor];
  t.same(tell([second, third], 5), [{ do: 'adopt', worker: 2, socket: socket(0) }]);
  const goes = { ...second, standing: 'leaving' as const };
  t.match(tell([goes, third], 6), [{ do: 'adopt', worker: 3, socket: socket(0) }]);
  t.same(table.sockets[0]?.loans, [
    { worker: 2, state: 'releasing' },
    { worker: 3, state: 'adopted' },
  ]);
  tell([third], 7);
  t.same(table.sockets[0]?.loans, [{ worker: 3, state: 'adopted' }]);
});

t.test('who helps twice within a moment has let go once it has said so twice', async (t) => {
  const { tell, table } = rig(2);
  const found: SocketEvent = { type: 'congested', socket: socket(0), helpers: [1] };
  const relieved: SocketEvent = { type: 'relieved', socket: socket(0) };
  for (const event of [found, relieved, found, relieved]) tell(null, 5, event);
  const released: SocketEvent = { type: 'released', worker: 2, socket: socket(0) };
  tell(null, 6, released);
  t.same(table.sockets[0]?.loans, [{ worker: 2, state: 'releasing' }]);
  tell(null, 7, released);
  t.same(table.sockets[0]?.loans, []);
});

t.test('nothing is asked of anybody while all are sent away, and a stop leaves nothing', async (t) => {
  const { table } = rig(2);
  const alone = [worker(2, 1)];
  const { effects } = stepTable(table, [], acceptors(alone, { stage: 'restarting' }), 5);
  t.same(effects, []);
  t.equal(table.sockets.length, 2);
  stepTable(table, [], acceptors(alone, { stage: 'stopping' }), 6);
  t.same(table.sockets, []);
  stepTable(table, [{ type: 'socketOpened', socket: socket(0) }], null, 7);
  t.same(table.sockets, [], 'what was under way comes too late');
  t.equal(nextTableDeadline(table, 8), null);
});

t.test('the slot of a canary is wanted though it is beyond the size', async (t) => {
  const { table, all } = rig(3);
  stepTable(table, [], acceptors(all, { size: 2, canary: 2 }), 5);
  t.equal(nextTableDeadline(table, 5), null);
  stepTable(table, [], acceptors(all, { size: 2 }), 6);
  t.equal(nextTableDeadline(table, 6), 6 + HANDSHAKE_MS);
});

t.test('a deadline that was due in the last step is no reason to wake up again', async (t) => {
  const { table, all } = rig(3);
  stepTable(table, [], acceptors(all, { size: 2 }), 5);
  stepTable(table, [], null, 5 + HANDSHAKE_MS);
  t.equal(table.sockets.length, 3, 'its worker is still there');
  t.equal(nextTableDeadline(table, 6 + HANDSHAKE_MS), null);
});

t.test('an event that it fails at is dropped, and what follows from the others is done', async (t) => {
  const { table } = rig(2);
  const broken = { type: 'relieved', socket: null } as unknown as SocketEvent;
  const { effects, faults } = stepTable(table, [broken], acceptors([worker(2, 1)]), 5);
  t.match(faults, [{ event: { type: 'relieved' } }]);
  t.match(
    effects.filter((effect) => effect.do !== 'report'),
    [{ do: 'adopt', worker: 2, socket: socket(0) }],
  );
});

t.test('a socket that was wanted for a moment is retired anew, in whatever stage that moment was', (t) => {
  const { table } = rig(3);
  const left = [worker(1, 0), worker(2, 1)];
  const tell = (now: number, change: Partial<Acceptors>) =>
    stepTable(table, [], acceptors(left, { settled: false, ...change }), now)
      .effects.filter((effect) => effect.do !== 'report')
      .map((effect) => effect.do);
  t.same(tell(100, { size: 2 }), ['adopt'], 'what waits there is served');
  t.same(tell(150, { size: 3, stage: 'restarting' }), [], 'new connections come to it again');
  t.same(tell(160, { size: 2 }), []);
  t.same(tell(100 + HANDSHAKE_MS, { size: 2 }), [], 'a handshake may have begun at 159');
  t.same(tell(160 + HANDSHAKE_MS, { size: 2 }), ['release'], 'it is to go: all let go of it first');
  t.end();
});
