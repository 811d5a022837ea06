import t from 'tap';
import { Rhythm } from '../../../src/supervisor/observe/rhythm.js';

function after(...times: readonly number[]): Rhythm {
  const rhythm = new Rhythm();
  for (const time of times) rhythm.scraped(time);
  return rhythm;
}

t.test('the third scrape at an even distance is followed by a fourth', async (t) => {
  t.notOk(after().expects(0, 1_000));
  t.notOk(after(0, 15_000).expects(29_500, 1_000), 'two may be by chance');
  const rhythm = after(0, 15_000, 30_040);
  t.notOk(rhythm.expects(43_000, 1_000), 'not yet');
  t.ok(rhythm.expects(44_500, 1_000), 'within the second');
  t.ok(rhythm.expects(45_500, 1_000), 'it is late');
  t.notOk(rhythm.expects(48_000, 1_000), 'it has not come: it is no longer waited for');
});

t.test('at another distance, or very often, nobody is expected', async (t) => {
  const irregular = after(0, 5_000, 20_000);
  const often = after(0, 260, 520, 780);
  for (let now = 0; now < 60_000; now += 100) {
    t.notOk(irregular.expects(20_000 + now, 1_000));
    t.notOk(often.expects(780 + now, 1_000));
  }
});

t.test('two that take turns are both expected, and what was before is forgotten', async (t) => {
  const rhythm = after(-9_000, -1_000, 0, 4_000, 15_000, 19_000, 30_000, 34_000);
  t.ok(rhythm.expects(44_500, 1_000), 'the one');
  t.notOk(rhythm.expects(47_000, 900), 'nobody in between');
  t.ok(rhythm.expects(48_500, 1_000), 'the other');
});

t.test('each second', async (t) => {
  const rhythm = after(0, 1_050, 2_060, 3_100);
  for (const now of [3_200, 3_600, 4_000]) t.ok(rhythm.expects(now, 1_000), String(now));
});
