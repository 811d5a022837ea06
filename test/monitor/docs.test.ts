import { readFileSync } from 'node:fs';
import t from 'tap';
import { CATALOG, type Entry } from '../../src/monitor/metrics/catalog.js';

const read = (file: string) => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');

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
    'docs/troubleshooting.md',
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
