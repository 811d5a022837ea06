import t from 'tap';
import { ReadingTurns } from '../../../../src/supervisor/observe/turns/reading-turns.js';

/** Workers that take so long each, scraped at a distance; what was read at each scrape. */
function scrape(workers: number, costMs: number, distanceMs: number, times: number): number[][] {
  const turns = new ReadingTurns(2);
  const all = Array.from({ length: workers }, (_none, i) => i + 1);
  return Array.from({ length: times }, (_none, i) => {
    const now = 1_000_000 + i * distanceMs;
    const chosen = [...turns.choose(all, now)];
    for (const worker of chosen) turns.read(worker, { at: now, costMs, failed: false });
    return chosen;
  });
}

t.test('a few workers are read at every scrape, whoever asks how often', async (t) => {
  for (const chosen of scrape(4, 3, 1_000, 100)) t.equal(chosen.length, 4);
  for (const chosen of scrape(2, 3, 300, 100)) t.equal(chosen.length, 2);
});

t.test('of many, scraped each second, no more is read than a hundredth of the machine bears, in turn', async (t) => {
  const scrapes = scrape(64, 3, 1_000, 200);
  t.equal(scrapes[0]?.length, 64, 'at first all: what was saved bears it');
  const lasting = scrapes.slice(20);
  const readings = lasting.flat();
  // 1 % of two processors is 20 ms in each second.
  t.ok(readings.length * 3 <= lasting.length * 20 + 64 * 3, `${readings.length} readings`);
  for (let worker = 1; worker <= 64; worker++) {
    const turns = lasting.flatMap((chosen, i) => (chosen.includes(worker) ? [i] : []));
    const longest = Math.max(...turns.slice(1).map((at, i) => at - (turns[i] ?? 0)));
    t.ok(longest <= 13, `worker ${worker} waits ${longest} s`);
  }
});

t.test('at the usual distance of a scraper everything is new, and dear ones wait no longer either', async (t) => {
  for (const chosen of scrape(64, 20, 15_000, 20)) t.equal(chosen.length, 64);
  const scrapes = scrape(8, 5_000, 1_000, 60);
  for (let worker = 1; worker <= 8; worker++) {
    const turns = scrapes.flatMap((chosen, i) => (chosen.includes(worker) ? [i] : []));
    t.same(turns, [0, 13, 26, 39, 52], `worker ${worker}`);
  }
});

t.test('who is new is read at once, who does not answer is asked again, and who has gone is forgotten', async (t) => {
  const turns = new ReadingTurns(1);
  t.same([...turns.choose([1, 2], 0)], [1, 2]);
  turns.read(1, { at: 10, costMs: 900, failed: false });
  t.same([...turns.choose([1, 2], 1_000)], [2, 1], 'one that has not answered comes first');
  turns.read(1, { at: 1_010, costMs: 900, failed: true });
  t.same([...turns.choose([1, 2, 3], 2_000)], [2, 3], 'nothing is left for the other one');
  turns.read(2, { at: 2_010, costMs: 1, failed: false });
  t.same(turns.summary([1, 2, 3], 2_510), { ageMs: 1_500, failures: 1 });
  turns.gone(1);
  t.same(turns.summary([2, 3], 2_510), { ageMs: 500, failures: 0 });
  t.same(turns.summary([], 2_510), { ageMs: 0, failures: 0 });
});
