// docs/reference/metrics.md: every metric, from the catalogue that makes them.
import { CATALOG } from '../../dist/monitor/metrics/catalog.js';
import { codes, page, table } from './markdown.js';

export function metricsPage() {
  return page('Metrics', 'src/monitor/metrics/catalog.ts', [
    `What \`/metrics\` of the [admin address](../admin.md) has, besides the application's own metrics. The last column is the name
with \`metricsNames: otel\`, and the labels that are called otherwise there. [Metrics and alerts](../observing.md) is the guide.`,
    table(
      ['metric', 'kind', 'labels', 'meaning', 'OpenTelemetry'],
      Object.entries(CATALOG).map(([name, { type, help, labels, otel, otelLabels = {} }]) => [
        ...[codes([name]), type, codes(labels), help],
        codes([otel, ...Object.values(otelLabels)].filter((one) => one !== undefined)),
      ]),
    ),
    'Next: [control API](control-api.md)',
  ]);
}
