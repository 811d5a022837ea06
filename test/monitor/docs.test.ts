import { readFileSync } from 'node:fs';
import t from 'tap';
import { CATALOG, type Entry } from '../../src/monitor/catalog.js';

const read = (file: string) => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');

t.test('the documentation lists every metric as it is in the catalogue', async (t) => {
  const rows = read('docs/observing.md')
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .split('|')
        .map((cell) => cell.trim().replaceAll('`', ''))
        .slice(1, -1),
    );
  const expected = Object.entries<Entry>(CATALOG).map(([name, { type, help, labels, otel, otelLabels = {} }]) => [
    ...[name, type, labels.join(', '), help],
    [otel, ...Object.values(otelLabels)].filter((one) => one !== undefined).join(', '),
  ]);
  t.same(rows, expected);
});

t.test('dashboard, alerts and documentation name metrics that there are', async (t) => {
  const known = new Set(
    Object.entries<Entry>(CATALOG).flatMap(([name, { type }]) =>
      type === 'histogram' ? [name, ...['_bucket', '_sum', '_count'].map((part) => name + part)] : [name],
    ),
  );
  for (const file of [
    'docs/observing.md',
    'docs/kubernetes.md',
    'docs/admin.md',
    'config/grafana/holdfast.json',
    'config/prometheus/alerts.yaml',
  ]) {
    const names = [...read(file).matchAll(/\bholdfast_\w+/g)].map(([name]) => name);
    t.same(
      names.filter((name) => !known.has(name)),
      [],
      file,
    );
  }
});
