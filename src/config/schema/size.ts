/**
 * Sizes of memory as people write them: `300M`, `1G`. Pure.
 */

const UNIT_BYTES: Readonly<Record<string, number>> = { K: 1024, M: 1024 ** 2, G: 1024 ** 3 };

/** A whole number with a unit of 1024 bytes, its square or its cube. */
export const SIZE_PATTERN = /^(\d{1,6})([KMG])$/;

/** @returns bytes, or null if `text` is not a size */
export function parseSize(text: string): number | null {
  const match = SIZE_PATTERN.exec(text);
  return match === null ? null : Number(match[1]) * UNIT_BYTES[match[2]!]!;
}
