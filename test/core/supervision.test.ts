import t from 'tap';
import { acceptorsOf } from '../../src/core/acceptors.js';
import { advance, nextWake } from '../../src/core/supervision.js';
import { Driver, PORT } from './driver.js';

const socket = (slot: number) => ({ slot, key: PORT });

t.test('what a look finds does not wake the core', async (t) => {
  const d = Driver.running({ size: 2, steered: true });
  const supervision = structuredClone(d.supervision);
  const before = structuredClone(supervision.state);
  const found = { type: 'congested', socket: socket(0), helpers: [1] } as const;
  const { effects, isNews } = advance(supervision, [found], d.now + 1);
  t.match(effects.at(-1), { do: 'report' });
  t.match(
    effects.filter((effect) => effect.do === 'adopt'),
    [{ worker: 2, socket: socket(0) }],
  );
  t.same(supervision.state, before);
  t.equal(isNews, false, 'nor anybody who looks after workers and sockets');
});

t.test('a socket that comes or goes is news', async (t) => {
  const d = Driver.running({ size: 2, steered: true });
  const opened = { type: 'socketOpened', socket: socket(0) } as const;
  t.equal(advance(structuredClone(d.supervision), [opened], d.now).isNews, true);
  d.scale(1);
  d.clear();
  d.wait(5_000);
  const released = { type: 'released', worker: 1, socket: socket(1) } as const;
  const { effects, isNews } = advance(structuredClone(d.supervision), [released], d.now);
  t.match(effects[0], { do: 'closeSocket', socket: socket(1) });
  t.equal(isNews, true, 'the order of its group is another one now');
});

t.test('whenever the core has stepped the table knows who accepts on what', async (t) => {
  const d = Driver.running({ size: 2 });
  t.same(d.table.acceptors, acceptorsOf(d.state));
  d.send({ type: 'ended', worker: 1 });
  t.same(
    d.table.acceptors.workers.map(({ standing }) => standing),
    ['ended', 'serving'],
  );
  d.stop();
  t.equal(d.table.acceptors.stage, 'stopping');
});

t.test('what the core asks for comes before what follows for the sockets', async (t) => {
  const d = Driver.running({ size: 2 });
  t.same(
    d.send({ type: 'disconnected', worker: 1 }).map((effect) => effect.do),
    ['drain', 'adopt'],
  );
});

t.test('a worker that is held is told as one that accepts nothing, before it is ready as well', async (t) => {
  const d = Driver.running();
  d.reload({ soakMs: 1_000 });
  const standing = () => d.table.acceptors.workers.map(({ standing }) => standing);
  t.same(standing(), ['serving', 'waiting']);
  d.bind(2);
  t.same(standing(), ['serving', 'held']);
  d.wait(1_000);
  t.same(standing(), ['leaving', 'serving']);
});

t.test('the nearest deadline of the two counts', async (t) => {
  const d = Driver.running({ size: 3, steered: true });
  t.equal(nextWake(d.supervision, d.now), null);
  d.scale(2);
  t.equal(d.deadline, d.now + 5_000, 'of the socket that retires; the drain takes longer');
  d.wait(5_000);
  t.equal(d.deadline, d.now + d.policy.drainTimeoutMs - 5_000, 'of the drain');
});
