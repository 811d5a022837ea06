import t from 'tap';
import { Allowance, FLOOD_MS } from '../../../../src/supervisor/workers/channel/allowance.js';

t.test('what a worker usually says is never slowed', async (t) => {
  const allowance = new Allowance();
  for (let now = 0; now < 60_000; now += 10) {
    t.equal(allowance.spend({ messages: 4, bytes: 1024 }, 256, now * 10), 0);
  }
  t.notOk(allowance.isFlooded(600_000));
});

t.test('a burst is taken, what goes beyond it waits until there is time for it again', async (t) => {
  const allowance = new Allowance();
  t.equal(allowance.spend({ messages: 8_000, bytes: 0 }, 1, 0), 0);
  t.equal(allowance.spend({ messages: 400, bytes: 0 }, 1, 0), 100);
  t.equal(allowance.spend({ messages: 0, bytes: 0 }, 1, 100), 0);
  t.equal(allowance.spend({ messages: 0, bytes: 400 * 1024 }, 1, 100), 100, 'bytes count as well');
});

t.test('workers share the time of the supervisor', async (t) => {
  const slowed = (workers: number) => {
    const allowance = new Allowance();
    allowance.spend({ messages: 8_000, bytes: 0 }, workers, 0);
    return allowance.spend({ messages: 1_000, bytes: 0 }, workers, 0);
  };
  t.equal(slowed(8), 250);
  t.ok(slowed(64) > 10_000);
});

t.test('only who does not stop is taken for flooding', async (t) => {
  const paused = new Allowance();
  const endless = new Allowance();
  let now = 0;
  let pausedNow = 0;
  for (let i = 0; i < 40; i++) {
    now += endless.spend({ messages: 4_000, bytes: 0 }, 1, now);
    pausedNow += paused.spend({ messages: 4_000, bytes: 0 }, 1, pausedNow) + 2_000;
    t.notOk(paused.isFlooded(pausedNow));
  }
  t.ok(now > FLOOD_MS);
  t.ok(endless.isFlooded(now));
});
