import { setImmediate as turn } from 'node:timers/promises';
import v8 from 'node:v8';
import t from 'tap';
import { boundYoungGeneration } from '../../../src/supervisor/upkeep/young-generation.js';

t.test('the young generation grows to a bound, however much survives', async (t) => {
  boundYoungGeneration();
  const before = youngMb();
  const kept: object[] = [];
  for (let round = 0; round < 150; round++) {
    for (let i = 0; i < 20_000; i++) kept[i % 3_000] = { number: i, pair: [i, i] };
    await turn();
  }
  // One size more than the bound at most: it is seen after it has grown.
  t.ok(youngMb() <= Math.max(before, 16), `${youngMb()} MB`);
  t.ok(youngMb() > 2, 'but does grow');
});

function youngMb(): number {
  const young = v8.getHeapSpaceStatistics().find((space) => space.space_name === 'new_space');
  return (young?.space_size ?? 0) / 1024 / 1024;
}
