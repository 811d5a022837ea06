/**
 * The "did you mean" of every message that names something unknown. Pure.
 */

/** Longer words are not compared: nobody mistypes them, and the comparison is quadratic. */
const LONGEST_WORD = 64;

/**
 * The candidate that `word` was most likely meant to be, or undefined if none is near.
 *
 * Case, `-`, `_` and spaces do not count (`KILL_TIMEOUT` is `killTimeout`); beyond these one slip in three characters is
 * forgiven, a swap of two neighbours being one slip. Among equally near candidates the first wins.
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const wanted = plain(word);
  if (wanted.length === 0 || wanted.length > LONGEST_WORD) return undefined;
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of candidates) {
    const offered = plain(candidate);
    if (Math.abs(offered.length - wanted.length) >= bestDistance) continue;
    const slips = distance(wanted, offered);
    // A word that shares no character with the candidate is not a slip of the pen: "x" is not "i".
    if (slips < bestDistance && slips < Math.max(wanted.length, offered.length)) {
      best = candidate;
      bestDistance = slips;
    }
  }
  return best;
}

/** `; did you mean "instances"?`, or nothing: the end of a message about an unknown word. */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  const candidate = nearest(word, candidates);
  return candidate === undefined ? '' : `; did you mean ${JSON.stringify(candidate)}?`;
}

function plain(word: string): string {
  return word.toLowerCase().replace(/[-_ ]/g, '');
}

/** Edits from `a` to `b`: insert, delete, replace, or swap two neighbours (optimal string alignment). */
function distance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let edits = Math.min(previous[column]! + 1, current[column - 1]! + 1, previous[column - 1]! + (same ? 0 : 1));
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        edits = Math.min(edits, beforePrevious[column - 2]! + 1);
      }
      current.push(edits);
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[b.length]!;
}
