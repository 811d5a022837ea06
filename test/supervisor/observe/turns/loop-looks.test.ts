import t from 'tap';
import { loopResolutionMs } from '../../../../dist/supervisor/observe/turns/loop-looks.js';

t.test('few workers look often, many of them together no more often than their processors bear', async (t) => {
  for (const [workers, processors, expected] of [
    [1, 2, 50],
    [8, 2, 50],
    [9, 2, 100],
    [64, 2, 400],
    [64, 16, 50],
    [1_000, 2, 500],
    [0, 1, 50],
  ] as const) {
    t.equal(loopResolutionMs(workers, processors), expected, `${workers} workers on ${processors} processors`);
  }
});
