import t from 'tap';
import type { Family } from '../../src/monitor/formats/family.js';
import { chooseFormat } from '../../src/monitor/formats/negotiate.js';
import { protobufOf } from '../../src/monitor/formats/protobuf.js';
import { textOf } from '../../src/monitor/formats/text-format.js';

const COUNTER: Family = {
  name: 'a_total',
  type: 'counter',
  help: 'a \\ and\na "line"',
  parts: [[{ suffix: '', labels: [['x', 'a "b"\n\\']], value: 3 }]],
};
const OTHER: Family = { name: 'visits', type: 'counter', help: 'v', parts: [[{ suffix: '', labels: [], value: 1 }]] };
const GAUGE: Family = {
  name: 'g',
  type: 'gauge',
  help: 'g',
  parts: [[NaN, Infinity, -Infinity, 0.1].map((value, i) => ({ suffix: '', labels: [['i', String(i)]], value }))],
};

t.test('the text of Prometheus', async (t) => {
  t.equal(
    textOf([COUNTER, OTHER, GAUGE], false),
    [
      '# HELP a_total a \\\\ and\\na "line"',
      '# TYPE a_total counter',
      'a_total{x="a \\"b\\"\\n\\\\"} 3',
      '# HELP visits v',
      '# TYPE visits counter',
      'visits 1',
      '# HELP g g',
      '# TYPE g gauge',
      'g{i="0"} NaN',
      'g{i="1"} +Inf',
      'g{i="2"} -Inf',
      'g{i="3"} 0.1',
      '',
    ].join('\n'),
  );
});

t.test(
  'OpenMetrics: counters by their name without _total, one that has none keeps its name, and the end',
  async (t) => {
    t.equal(
      textOf([COUNTER, OTHER], true),
      [
        '# HELP a a \\\\ and\\na \\"line\\"',
        '# TYPE a counter',
        'a_total{x="a \\"b\\"\\n\\\\"} 3',
        '# HELP visits v',
        '# TYPE visits unknown',
        'visits 1',
        '# EOF',
        '',
      ].join('\n'),
    );
  },
);

t.test('protocol buffers: a counter, byte by byte', async (t) => {
  const value = Buffer.alloc(8);
  value.writeDoubleLE(1);
  const bytes = [
    0x0a,
    6,
    ...Buffer.from('visits'),
    0x12,
    1,
    ...Buffer.from('v'),
    0x18,
    0,
    0x22,
    11,
    0x1a,
    9,
    0x09,
    ...value,
  ];
  t.same([...protobufOf([OTHER])], [bytes.length, ...bytes]);
});

t.test('protocol buffers: numbers that no bucket can have end', async (t) => {
  const bucket = (value: number) => ({ suffix: '_bucket', labels: [['le', '+Inf']] as const, value });
  const family = (value: number): Family => ({ name: 'h', type: 'histogram', help: 'h', parts: [[bucket(value)]] });
  for (const value of [Infinity, NaN, -5, 2 ** 60]) t.ok(protobufOf([family(value)]).length > 0, String(value));
});

t.test('protocol buffers: a native histogram has its classic buckets beside it', async (t) => {
  const samples = ['1', '+Inf'].map((le) => ({ suffix: '_bucket', labels: [['le', le]] as const, value: 3 }));
  const counted = [...samples, ...['_sum', '_count'].map((suffix) => ({ suffix, labels: [], value: 3 }))];
  const own = { labels: [], count: 3, sum: 3, zeroUpTo: 0.5, zeroCount: 0, offset: -1, counts: [3] };
  const family: Family = { name: 'h', type: 'histogram', help: 'h', parts: [counted], native: [own] };
  const double = (value: number) => {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleLE(value);
    return [...bytes];
  };
  const histogram = [
    ...[0x28, 4, 0x31, ...double(0.5), 0x38, 0, 0x62, 4, 0x08, 1, 0x10, 1, 0x68, 6],
    ...[1, Number.POSITIVE_INFINITY].flatMap((bound) => [0x1a, 11, 0x08, 3, 0x11, ...double(bound)]),
    ...[0x11, ...double(3), 0x08, 3],
  ];
  const metric = [0x3a, histogram.length, ...histogram];
  const bytes = [0x0a, 1, 0x68, 0x12, 1, 0x68, 0x18, 4, 0x22, metric.length, ...metric];
  t.same([...protobufOf([family])], [bytes.length, ...bytes]);
});

t.test('the format is chosen by what is accepted', async (t) => {
  const protobuf = 'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited';
  const cases: [string | null, ReturnType<typeof chooseFormat>][] = [
    [null, 'text'],
    ['', 'text'],
    ['*/*', 'text'],
    ['text/html, application/xhtml+xml', 'text'],
    ['application/openmetrics-text', 'openMetrics'],
    [
      'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
      'openMetrics',
    ],
    ['text/plain;version=0.0.4;q=0.5, application/openmetrics-text; version=1.0.0; q=0.4', 'text'],
    ['application/openmetrics-text;version=2.0.0', 'text'],
    [`${protobuf},application/openmetrics-text;version=1.0.0;q=0.8,*/*;q=0.1`, 'protobuf'],
    [`${protobuf};q=0.3,text/plain;q=0.6`, 'text'],
    ['application/vnd.google.protobuf;encoding=text', 'text'],
    ['application/openmetrics-text;q=nonsense', 'text'],
    ['application/openmetrics-text;q=0', 'text'],
  ];
  for (const [accept, format] of cases) t.equal(chooseFormat(accept), format, String(accept));
});

t.test('a part is written once in each format, however often it comes', async (t) => {
  let read = 0;
  const sample = {
    suffix: '',
    labels: [],
    get value() {
      read += 1;
      return 7;
    },
  };
  const family: Family = { name: 'g', type: 'gauge', help: 'g', parts: [[sample]] };
  const texts = [false, true, false].map((isOpen) => textOf([family], isOpen));
  t.equal(texts[2], texts[0]);
  t.equal(read, 1, 'the lines of both text formats are the same');
  t.same(protobufOf([family]), protobufOf([family]));
  t.equal(read, 2);
});
