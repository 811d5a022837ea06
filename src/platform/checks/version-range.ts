/** Whether a version fits a range, as far as `engines` of a package goes: `^20.19.0 || ^22.12.0 || >=24`. Pure. */

/**
 * Pre-releases count as the version that they precede.
 *
 * @param version as in `process.version`
 * @throws RangeError for what is more than `^` and `>=`, joined by `||`
 */
export function isInRange(version: string, range: string): boolean {
  const actual = parse(version.replace(/^v/, '').replace(/[-+].*$/, ''), version);
  return range.split('||').some((part) => {
    const [, operator, least = ''] = /^\s*(\^|>=)\s*(\S+)\s*$/.exec(part) ?? [];
    if (operator === undefined) throw new RangeError(`cannot read version range ${JSON.stringify(range)}`);
    const bound = parse(least, range);
    return isAtLeast(actual, bound) && (operator === '>=' || actual[0] === bound[0]);
  });
}

/** Major, minor and patch; what is left out is 0. */
function parse(text: string, source: string): readonly [number, number, number] {
  const [, major, minor = '0', patch = '0'] = /^(\d+)(?:\.(\d+))?(?:\.(\d+))?$/.exec(text) ?? [];
  if (major === undefined) throw new RangeError(`cannot read version ${JSON.stringify(source)}`);
  return [Number(major), Number(minor), Number(patch)];
}

function isAtLeast(actual: readonly number[], bound: readonly number[]): boolean {
  for (const [i, number] of bound.entries()) {
    if (actual[i] !== number) return (actual[i] ?? 0) > number;
  }
  return true;
}
