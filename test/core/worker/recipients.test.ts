import t from 'tap';
import { Driver } from '../driver.js';

const recipients = (d: Driver) => d.done('drain').map(({ worker, recipients }) => [worker, recipients]);

t.test('in a reload the connections of a worker go to its successor', async (t) => {
  const d = Driver.running({ size: 2 });
  d.reload();
  d.settle();
  t.same(recipients(d), [
    [1, [3]],
    [2, [4]],
  ]);
});

t.test('with hand-over switched off there are no recipients', async (t) => {
  const d = Driver.running({ size: 2, policy: { handover: false } });
  d.reload();
  d.settle();
  t.same(recipients(d), [
    [1, []],
    [2, []],
  ]);
});

t.test('a slot that goes has its siblings for recipients, four at most', async (t) => {
  const d = Driver.running({ size: 7 });
  d.scale(5);
  t.same(
    recipients(d).map(([worker]) => worker),
    [6, 7],
  );
  for (const [, taken] of recipients(d) as [number, number[]][]) {
    t.equal(taken.length, 4);
    t.ok(taken.every((id) => id <= 5));
  }
  t.not(String(recipients(d)[0]?.[1]), String(recipients(d)[1]?.[1]), 'not all to the same ones');
});

t.test('the connections of a canary that is rolled back go to the others', async (t) => {
  const d = Driver.running({ size: 2 });
  const { policy } = d;
  d.send({ type: 'reload', request: 1, policy, size: null, canary: { share: 0.05, forMs: 60_000 } });
  d.bind(3);
  d.send({ type: 'canaryJudged', generation: 2, verdict: 'worse', reason: 'its figures', final: false });
  t.same(recipients(d), [[3, [2, 1]]]);
});

t.test('a canary is nobody’s recipient: it has no more clients than its share', async (t) => {
  const d = Driver.running({ size: 2 });
  d.send({ type: 'reload', request: 1, policy: d.policy, size: null, canary: { share: 0.05, forMs: 60_000 } });
  d.bind(3);
  d.send({ worker: 1, type: 'exceeded', limit: 'maxAge', reason: 'maxAge' });
  d.send({ type: 'abort', request: 2 });
  d.settle();
  t.ok(recipients(d).every(([, taken]) => !(taken as number[]).includes(3)));
});

t.test('in a stop and in a restart nobody is a recipient', async (t) => {
  const stopped = Driver.running({ size: 2 });
  stopped.stop();
  const restarted = Driver.running({ size: 2 });
  restarted.restart();
  for (const d of [stopped, restarted]) {
    t.same(recipients(d), [
      [1, []],
      [2, []],
    ]);
  }
});

t.test('a worker that has lost its recipients gets whoever serves now, and nobody where nobody does', async (t) => {
  const d = Driver.running({ size: 2 });
  d.reload();
  d.bind(3);
  d.effects.length = 0;
  d.crash(3, 'boom');
  d.effects.length = 0;
  d.send({ worker: 1, type: 'unlinked' });
  t.same(d.effects, [{ do: 'link', worker: 1, recipients: [2], addresses: ['0.0.0.0:8080'] }]);
  const alone = Driver.running({ size: 1 });
  alone.stop();
  t.same(alone.send({ worker: 1, type: 'unlinked' }), []);
});

t.test('a worker that listens nowhere the other did is no recipient', async (t) => {
  const d = Driver.running({ size: 2 });
  d.open(1, 'other');
  d.send({ worker: 1, type: 'closed', key: '0.0.0.0:8080' });
  d.scale(1);
  t.same(recipients(d), [[2, []]]);
});
