/** Which format a scraper wants, by its header Accept (RFC 9110, section 12.5.1). Pure. */

export type Format = 'text' | 'openMetrics' | 'protobuf';

/** Whatever else is asked for is answered by the text that everybody reads. */
export function chooseFormat(accept: string | null): Format {
  let best: { readonly format: Format; readonly weight: number } = { format: 'text', weight: 0 };
  for (const range of (accept ?? '').split(',')) {
    const [type = '', ...words] = range.split(';').map((word) => word.trim().toLowerCase());
    const parameters = new Map(words.map((word) => word.split('=', 2) as [string, string]));
    const format = formatOf(type, parameters);
    const weight = Number(parameters.get('q') ?? 1);
    // Of those that are wanted alike the first one.
    if (format !== null && weight > best.weight) best = { format, weight };
  }
  return best.format;
}

function formatOf(type: string, parameters: ReadonlyMap<string, string>): Format | null {
  switch (type) {
    case 'text/plain':
    case 'text/*':
    case '*/*':
      return 'text';
    case 'application/openmetrics-text':
      return ['1.0.0', '0.0.1', undefined].includes(parameters.get('version')) ? 'openMetrics' : null;
    case 'application/vnd.google.protobuf':
      return parameters.get('proto') === 'io.prometheus.client.metricfamily' &&
        parameters.get('encoding') === 'delimited'
        ? 'protobuf'
        : null;
    default:
      return null;
  }
}
