/** How it stands with the supervisor, where all is not as it should be. Pure. */
import { formatDuration } from '../../output/quantity.js';
import { type Run, run } from '../../output/runs.js';
import type { State } from '../model/model.js';

/** How long it is shown that it has come back. */
const BACK_MS = 10_000;

/** What is shown is what was known last. */
export function isStale({ link }: State): boolean {
  return link.state === 'late' || link.state === 'gone';
}

/** Only what is not as it should be. */
export function linkText({ link, nowMs }: State): Run[] {
  const since = formatDuration(Math.max(0, nowMs - link.sinceMs));
  switch (link.state) {
    case 'asking':
      return [run('asking the supervisor', 'dim')];
    case 'late':
      return [run(`does not answer for ${since}`, 'bad')];
    case 'gone':
      return [run(`the supervisor has gone, ${since} ago; waiting for it`, 'bad')];
    case 'up':
      return link.backAtMs !== undefined && nowMs - link.backAtMs < BACK_MS
        ? [run('the supervisor is back', 'good')]
        : [];
  }
}
