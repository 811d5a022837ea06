/** Addresses of one application that get in each other's way, without a core. */
import t from 'tap';
import { LOOK_MS } from '../../../src/core/adoption/contests.js';
import { initialTable, nextTableDeadline, stepTable } from '../../../src/core/adoption/table.js';
import type { Acceptor, SocketEffect, SocketEvent } from '../../../src/core/adoption/types.js';
import type { Standing } from '../../../src/core/state/standing.js';

const NARROW = '127.0.0.1:80';
const WIDE = '0.0.0.0:80';

function worker(id: number, standing: Standing, ...listening: string[]): Acceptor {
  return { id, slot: 0, standing, listening };
}

/** One slot, with a socket of its own or one that is shared. */
function rig(slot: 0 | null) {
  const table = initialTable(false);
  const tell = (now: number, workers: readonly Acceptor[], ...events: SocketEvent[]): SocketEffect[] => {
    const isAwaiting = !workers.some(({ standing }) => standing === 'serving');
    const seats = [{ slot: 0, isAwaiting, expected: [] }];
    const told = {
      stage: 'up',
      size: 1,
      canary: null,
      settled: !isAwaiting,
      seats,
      patienceMs: 30_000,
      workers,
    } as const;
    const { effects, faults } = stepTable(table, events, told, now);
    if (faults[0] !== undefined) throw faults[0].error;
    return effects.filter((effect) => effect.do !== 'report');
  };
  const opened = (key: string, id: number): SocketEvent[] => [
    { type: 'socketOpened', socket: { slot, key }, worker: id },
    { type: 'bound', worker: id, key },
  ];
  const serve = (key: string) => {
    tell(0, [worker(1, 'coming')]);
    tell(0, [worker(1, 'serving', key)], ...opened(key, 1));
  };
  return { table, tell, opened, serve };
}

for (const slot of [0, null] as const) {
  const mode = slot === null ? 'reuseaddr' : 'reuseport';
  const contested: SocketEvent = { type: 'contested', worker: 2, key: NARROW };

  t.test(`a look beside what is served comes to nothing, in ${mode} mode`, async (t) => {
    const { table, tell, serve } = rig(slot);
    serve(WIDE);
    const both = [worker(1, 'serving', WIDE), worker(2, 'coming')];
    t.same(tell(10, both, contested), []);
    t.equal(nextTableDeadline(table, 10), 10 + LOOK_MS);
    t.same(tell(20, both, { type: 'closed', worker: 2, key: NARROW }), []);
    t.equal(nextTableDeadline(table, 20), null);
    t.equal(table.sockets.length, 1);
  });

  t.test(`who means it is refused with the reason, unless it serves, in ${mode} mode`, async (t) => {
    for (const standing of ['coming', 'held', 'serving'] as const) {
      const { table, tell, serve } = rig(slot);
      serve(WIDE);
      const both = [worker(1, 'serving', WIDE), worker(2, standing)];
      tell(10, both, contested);
      t.same(tell(9 + LOOK_MS, both), []);
      const effects = tell(10 + LOOK_MS, both);
      if (standing === 'serving') t.same(effects, [], 'it has other addresses, and is not ended for this one');
      else t.match(effects, [{ do: 'refuseContested', worker: 2, key: NARROW, reason: /0\.0\.0\.0:80.*restart/ }]);
      t.same(tell(20 + LOOK_MS, both), [], 'once');
      t.equal(nextTableDeadline(table, 20 + LOOK_MS), null);
    }
  });

  t.test(
    `one that serves and was refused is given it when what was in its way has gone, in ${mode} mode`,
    async (t) => {
      const { tell, serve } = rig(slot);
      serve(WIDE);
      const serving = worker(2, 'serving', '0.0.0.0:81');
      tell(10, [worker(1, 'serving', WIDE), serving], contested);
      t.same(tell(10 + LOOK_MS, [worker(1, 'serving', WIDE), serving]), []);
      const effects = tell(5_000, [worker(1, 'leaving'), serving], { type: 'closed', worker: 1, key: WIDE });
      t.match(effects.at(-1), { do: 'openContested', worker: 2, key: NARROW });
    },
  );

  t.test(`it is opened as soon as nothing is in its way, in ${mode} mode`, async (t) => {
    const { table, tell, serve } = rig(slot);
    serve(WIDE);
    tell(10, [worker(1, 'serving', WIDE), worker(2, 'coming')], contested);
    const effects = tell(20, [worker(1, 'serving'), worker(2, 'serving')], { type: 'closed', worker: 1, key: WIDE });
    t.same(effects, [
      { do: 'closeSocket', socket: { slot, key: WIDE } },
      { do: 'openContested', worker: 2, key: NARROW },
    ]);
    t.same(tell(30, [worker(2, 'coming')]), [], 'once');
    t.same(tell(40, [worker(2, 'coming')], contested), [], 'where that failed not at once');
    t.equal(nextTableDeadline(table, 40), 140);
    t.match(tell(140, [worker(2, 'coming')]), [{ do: 'openContested' }], 'and again');
  });

  t.test(`one that goes meanwhile is forgotten, in ${mode} mode`, async (t) => {
    const { table, tell, serve } = rig(slot);
    serve(WIDE);
    tell(10, [worker(1, 'serving', WIDE), worker(2, 'coming')], contested);
    tell(20, [worker(1, 'serving', WIDE), worker(2, 'leaving')]);
    t.same(table.contests, []);
  });

  t.test(`after a restart to a narrower host, in ${mode} mode`, async (t) => {
    const { tell, serve } = rig(slot);
    serve(WIDE);
    const fresh = [worker(2, 'coming')];
    t.same(tell(10, fresh, contested), [], 'it may be a look, and clients wait in the old one');
    const opening: SocketEffect = { do: 'openContested', worker: 2, key: NARROW };
    const closing: SocketEffect = { do: 'closeSocket', socket: { slot, key: WIDE } };
    t.same(tell(10 + LOOK_MS, fresh), slot === null ? [closing, opening] : [opening], 'both can be open or not');
  });
}

t.test('what somebody has been given but does not listen on yet is not closed', async (t) => {
  const { tell, serve } = rig(null);
  serve(NARROW);
  const two = [worker(2, 'coming'), worker(3, 'coming')];
  tell(10, two, { type: 'socketOpened', socket: { slot: null, key: NARROW }, worker: 3 });
  tell(10, two, { type: 'contested', worker: 2, key: WIDE });
  t.same(tell(10 + LOOK_MS, two), []);
  t.same(tell(20 + LOOK_MS, two, { type: 'closed', worker: 3, key: NARROW }), [
    { do: 'closeSocket', socket: { slot: null, key: NARROW } },
    { do: 'openContested', worker: 2, key: WIDE },
  ]);
});

t.test('a worker that listens on a wider address accepts on the older socket, too, once it is ready', async (t) => {
  const { table, tell, opened, serve } = rig(0);
  serve(NARROW);
  const older = worker(1, 'serving', NARROW);
  t.same(tell(10, [older, worker(2, 'coming', WIDE)], ...opened(WIDE, 2)), [], 'it may be a look');
  const widen: SocketEffect = { do: 'widen', worker: 2, socket: { slot: 0, key: NARROW }, under: WIDE };
  t.same(tell(20, [older, worker(2, 'serving', WIDE)]), [widen]);
  t.same(tell(30, [worker(2, 'serving', WIDE)], { type: 'closed', worker: 1, key: NARROW }), [], 'once');
  t.same(table.sockets.find(({ key }) => key === NARROW)?.holders, [2]);
  const both = worker(2, 'serving', WIDE, NARROW);
  t.same(tell(40, [both], { type: 'bound', worker: 2, key: NARROW }), []);
  const closed: SocketEvent[] = [NARROW, WIDE].map((key) => ({ type: 'closed', worker: 2, key }));
  t.equal(tell(50, [worker(2, 'serving')], ...closed).length, 2, 'they go together');
});

t.test('one that could not is not asked again, and what it does not accept goes', async (t) => {
  const { tell, opened, serve } = rig(0);
  serve(NARROW);
  const fresh = [worker(2, 'serving', WIDE)];
  t.match(tell(10, fresh, ...opened(WIDE, 2)), [{ do: 'widen' }]);
  const socket = { slot: 0, key: NARROW };
  t.same(tell(20, fresh, { type: 'notAdopted', worker: 2, socket }), [{ do: 'closeSocket', socket }]);
});
