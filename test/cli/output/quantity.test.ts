import t from 'tap';
import {
  formatBytes,
  formatCount,
  formatDelay,
  formatDuration,
  formatField,
  formatPercent,
  formatRest,
  formatTime,
} from '../../../src/cli/output/quantity.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

t.test('durations show their two largest units', async (t) => {
  for (const [ms, text] of [
    [-3, '0ms'],
    [0, '0ms'],
    [999, '999ms'],
    [999.6, '1s'],
    [SECOND, '1s'],
    [MINUTE - 1, '59s'],
    [3 * MINUTE + 5 * SECOND, '3m 5s'],
    [2 * HOUR + 14 * MINUTE + 59 * SECOND, '2h 14m'],
    [6 * DAY + 3 * HOUR, '6d 3h'],
  ] as const) {
    t.equal(formatDuration(ms), text);
  }
});

t.test('sizes are in units of 1024 and never show 1024 of one', async (t) => {
  for (const [bytes, text] of [
    [0, '0K'],
    [812 * 1024, '812K'],
    [1024 ** 2 - 1, '1.0M'],
    [48.3 * 1024 ** 2, '48.3M'],
    [1024 ** 3 - 1, '1.0G'],
    [5.25 * 1024 ** 4, '5376.0G'],
  ] as const) {
    t.equal(formatBytes(bytes), text);
  }
});

t.test('what is not known is a dash', async (t) => {
  for (const format of [formatBytes, formatCount, formatDelay, formatDuration, formatPercent])
    t.equal(format(null), '-');
});

t.test('small delays keep a decimal', async (t) => {
  t.equal(formatDelay(0.25), '0.3ms');
  t.equal(formatDelay(212.4), '212ms');
  t.equal(formatDelay(9.97), '10ms');
  t.equal(formatPercent(12.345), '12.3%');
  t.equal(formatCount(0), '0');
});

t.test('what is still to come is in whole seconds', async (t) => {
  t.same([-1, 0, 1, 809, 1_000, 61_500].map(formatRest), ['0s', '0s', '1s', '1s', '1s', '1m 2s']);
});

t.test('times in a sentence are rounded for people', async (t) => {
  for (const [ms, text] of [
    [0.4, '0 ms'],
    [55.0356, '55 ms'],
    [333.39386000000013, '0.3 s'],
    [12_345.6, '12.3 s'],
    [59_999, '59 s'],
    [125_000, '2 min 5 s'],
    [2 * HOUR + 14 * MINUTE, '2 h 14 min'],
  ] as const) {
    t.equal(formatTime(ms), text);
  }
});

t.test('fields of log lines have their unit in the value', async (t) => {
  t.equal(formatField('afterMs', 333.39386000000013), 'after=0.3 s');
  t.equal(formatField('rssBytes', 48.3 * 1024 ** 2), 'rss=48.3M');
  t.equal(formatField('share', 0.333333), 'share=0.33');
  t.equal(formatField('share', 0.02), 'share=0.02');
  t.equal(formatField('factor', 1.26), 'factor=1.3');
  t.equal(formatField('slot', 1), 'slot=1');
  t.equal(formatField('reason', 'it said so'), 'reason=it said so');
  t.equal(formatField('signal', null), 'signal=null');
  t.equal(formatField('afterMs', null), 'afterMs=null');
});
