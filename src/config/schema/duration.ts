/**
 * Durations as people write them: `500ms`, `30s`, `5m`, `1h`, or `0`. Pure.
 */

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;
type Unit = keyof typeof UNIT_MS;

/** A whole number with a unit, or 0. A bare number is refused: seconds and milliseconds are confused too easily. */
export const DURATION_PATTERN = /^(?:0|(\d{1,12})(ms|s|m|h))$/;

/** @returns milliseconds, or null if `text` is not a duration */
export function parseDuration(text: string): number | null {
  const match = DURATION_PATTERN.exec(text);
  if (match === null) return null;
  const [, count, unit] = match;
  return count === undefined ? 0 : Number(count) * UNIT_MS[unit as Unit];
}

/** The shortest exact spelling: 90000 → `90s`, 3600000 → `1h`. */
export function formatDuration(durationMs: number): string {
  if (durationMs === 0) return '0';
  const units = Object.keys(UNIT_MS).reverse() as Unit[];
  const unit = units.find((candidate) => durationMs % UNIT_MS[candidate] === 0) ?? 'ms';
  return `${durationMs / UNIT_MS[unit]}${unit}`;
}
