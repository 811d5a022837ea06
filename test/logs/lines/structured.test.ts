import t from 'tap';
import { readStructured, withLabels } from '../../../src/logs/lines/structured.js';

const labels = { name: 'shop', slot: 1, worker: 7, generation: 3, stream: 'stdout' } as const;
const now = '2026-01-02T03:04:05.006Z';

t.test('log lines of pino are told from what only looks like them', async (t) => {
  const lines = [
    '{"level":30,"time":1700000000000,"msg":"hello"}',
    '{"level":"error","time":"2026-01-02T03:04:05Z","msg":""}',
    '{"name":"x","level":35,"msg":"a level of its own"}',
    '{"level":30,"time":1}',
  ];
  for (const line of lines) t.same(readStructured(line), JSON.parse(line), line);
  const texts = [
    '{"level":30,"msg":"cut',
    '{"level":30,"msg":"x"} and more',
    '{"msg":"no level","time":1}',
    '{"level":"loud","msg":"x"}',
    '{"level":-1,"msg":"x"}',
    '{"level":1e9,"msg":"x"}',
    '{"level":30}',
    '{"level":30,"msg":5}',
    '[{"level":30,"msg":"x"}]',
    ' {"level":30,"msg":"x"}',
    '{"a":{"level":30,"msg":"x"}}',
    '{level: 30, msg: "level"}',
    '{"level"}',
    '{}',
    '',
  ];
  for (const text of texts) t.equal(readStructured(text), null, text);
});

t.test('its level and its time are kept, in the spelling of the log', async (t) => {
  const line = (fields: object) => withLabels({ msg: 'x', ...fields }, labels, now);
  t.same(
    [10, 20, 30, 40, 50, 60, 35, 'warn'].map((level) => line({ level }).level),
    ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 35, 'warn'],
  );
  t.equal(line({ level: 30, time: 0 }).time, '1970-01-01T00:00:00.000Z');
  t.equal(line({ level: 30, time: '2026-01-01T00:00:00+01:00' }).time, '2025-12-31T23:00:00.000Z');
  const seconds = '2023-11-14T22:13:20.000Z';
  for (const time of [1_700_000_000, '1700000000', 1_700_000_000_000, '1700000000000']) {
    t.equal(line({ level: 30, time }).time, seconds, `${time}`);
  }
  t.equal(line({ level: 30, time: 1_700_000_000.5 }).time, '2023-11-14T22:13:20.500Z');
  for (const time of [undefined, 1e300, 'noon', null, {}]) t.equal(line({ level: 30, time }).time, now);
});

t.test('what it says under names of the supervisor is kept apart', async (t) => {
  const line = JSON.parse(
    '{"level":30,"name":"other","slot":9,"stream":"x","hook":"y","__proto__":{"a":1},"msg":{"not":"text"},"b":2}',
  );
  const labelled = withLabels(line, labels, now);
  t.equal(
    JSON.stringify(labelled),
    JSON.stringify({
      ...{ level: 'info', time: now, ...labels },
      ...JSON.parse('{"__proto__":{"a":1}}'),
      ...{ b: 2, app: { name: 'other', slot: 9, stream: 'x', hook: 'y' }, msg: '{"not":"text"}' },
    }),
  );
  t.equal(Object.getPrototypeOf(labelled), Object.prototype);
});
