/**
 * Metrics as text: of Prometheus (0.0.4) or OpenMetrics (1.0). Pure.
 *
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 * https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md
 */
import type { Family, Labels, Part } from './family.js';

export const TEXT = 'text/plain; version=0.0.4; charset=utf-8';
export const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

export function textOf(families: readonly Family[], isOpen: boolean): string {
  const lines: string[] = [];
  for (const { name, type, help, parts } of families) {
    const isCounter = isOpen && type === 'counter';
    const isTotal = name.endsWith('_total');
    const family = isCounter && isTotal ? name.slice(0, -'_total'.length) : name;
    // OpenMetrics would have a counter renamed that is called otherwise, and with it what dashboards ask for.
    const kind = isCounter && !isTotal ? 'unknown' : type;
    lines.push(`# HELP ${family} ${isOpen ? escaped(help) : escapedHelp(help)}`, `# TYPE ${family} ${kind}`);
    for (const part of parts) lines.push(partText(name, part));
  }
  if (isOpen) lines.push('# EOF');
  return `${lines.join('\n')}\n`;
}

/** Of most workers nothing is new in a scrape that comes soon after another one. A part is of one family. */
const written = new WeakMap<Part, string>();

function partText(name: string, part: Part): string {
  let text = written.get(part);
  if (text === undefined) {
    text = part
      .map(({ suffix, labels, value }) => `${name}${suffix}${labelText(labels)} ${numberText(value)}`)
      .join('\n');
    written.set(part, text);
  }
  return text;
}

/** Most labels are the same ones in each scrape, and so is their text. */
const known = new WeakMap<Labels, string>();

export function labelText(labels: Labels): string {
  if (labels.length === 0) return '';
  let text = known.get(labels);
  if (text === undefined) {
    text = `{${labels.map(([name, value]) => `${name}="${escaped(value)}"`).join(',')}}`;
    known.set(labels, text);
  }
  return text;
}

export function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}

function escapedHelp(text: string): string {
  return text.replace(/[\\\n]/g, (character) => (character === '\n' ? '\\n' : '\\\\'));
}

function escaped(text: string): string {
  // Most have nothing of it.
  if (!/[\\\n"]/.test(text)) return text;
  return text.replace(/[\\\n"]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`));
}
