import t from 'tap';
import { lineFilter } from '../../../src/logs/lines/filter.js';

const LINES = [
  { level: 'info', time: '2026-01-01T00:00:00.000Z', msg: 'supervisor' },
  { level: 'warn', time: '2026-01-01T00:00:01.000Z', slot: 0, worker: 1, msg: 'one' },
  { level: 35, time: '2026-01-01T00:00:02.000Z', slot: 1, worker: 2, msg: 'two' },
  { level: 'error', time: '2026-01-01T00:00:03.000Z', slot: 1, worker: 3, msg: 'three' },
].map((line) => JSON.stringify(line));

const found = (filter: Parameters<typeof lineFilter>[0]) => {
  const fits = lineFilter(filter);
  return LINES.filter((line) => fits?.(line)).map((line) => JSON.parse(line).msg);
};

t.test('lines are wanted by worker, slot, level and time, and by all of them together', async (t) => {
  t.equal(lineFilter({}), null);
  t.same(found({ worker: 2 }), ['two']);
  t.same(found({ slot: 1 }), ['two', 'three']);
  t.same(found({ level: 'warn' }), ['one', 'three']);
  t.same(found({ level: 'info' }), ['supervisor', 'one', 'two', 'three']);
  t.same(found({ sinceMs: Date.parse('2026-01-01T00:00:02.000Z') }), ['two', 'three']);
  t.same(found({ slot: 1, level: 'error' }), ['three']);
  t.same(found({ slot: 0, level: 'error' }), []);
});

t.test('what is no log line is never wanted', async (t) => {
  t.equal(lineFilter({ slot: 0 })?.('not json'), false);
});
