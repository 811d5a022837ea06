/** What a scrape is answered with, in the format that was chosen. Pure. */
import type { Family } from './family.js';
import type { Format } from './negotiate.js';
import { PROTOBUF, protobufOf } from './protobuf.js';
import { OPEN_METRICS, TEXT, textOf } from './text-format.js';

const CONTENT_TYPES: Readonly<Record<Format, string>> = { text: TEXT, openMetrics: OPEN_METRICS, protobuf: PROTOBUF };

export function render(
  families: readonly Family[],
  format: Format,
): { readonly contentType: string; readonly body: Buffer } {
  const body = format === 'protobuf' ? protobufOf(families) : Buffer.from(textOf(families, format === 'openMetrics'));
  return { contentType: CONTENT_TYPES[format], body };
}
