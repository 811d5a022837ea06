/** Labels of metrics, under the names of who asks, and as few times made as can be. Pure. */

import type { Labels } from '../formats/family.js';
import { CATALOG, type Entry, type MetricName } from './catalog.js';

export type Plain = Readonly<Record<string, string | number>>;

/**
 * Labels of what there is of each slot: the same in each scrape, and most of what a scrape is made of. Kept, as making them anew
 * takes longer than all the rest. As many as there were slots.
 */
export class KnownLabels {
  readonly isOtel: boolean;
  readonly #known = new Map<MetricName, Labels[][]>();

  /** @param isOtel whether names are those of OpenTelemetry, where it has some */
  constructor(isOtel: boolean) {
    this.isOtel = isOtel;
  }

  /** @param part of what a slot has of this metric, numbered from 0; has always the same labels */
  of(name: MetricName, part: number, slot: number, labels: Plain): Labels {
    const parts = this.#known.get(name) ?? [];
    if (parts.length === 0) this.#known.set(name, parts);
    parts[part] ??= [];
    const ofPart = parts[part];
    ofPart[slot] ??= labelsOf(name, { slot, ...labels }, this.isOtel);
    return ofPart[slot];
  }
}

export function labelsOf(name: MetricName, labels: Plain, otel: boolean): Labels {
  const { otelLabels }: Entry = CATALOG[name];
  return Object.entries(labels).map(([label, value]) => [
    (otel ? otelLabels?.[label] : undefined) ?? label,
    String(value),
  ]);
}
