/** `holdfast reload`: the next generation, rolling; as a canary first; or only what it would change. */
import { parseDuration } from '../../config/schema/duration.js';
import type { ResultLine } from '../../control/client/client.js';
import { isCanaryShare, isCanaryTimeMs } from '../../control/options/reload-options.js';
import { EXIT, HoldfastError } from '../../errors.js';
import type { Change } from '../../protocol/control.js';
import { type Column, formatTable, printable } from '../output/table.js';
import { type Command, flagText, type Invocation } from '../process/context.js';
import { request } from './request.js';

const DEFAULT_FOR = '2m';
const EXCLUSIVE = ['canary', 'promote', 'abort', 'dry-run', 'follow'];

/** @throws HoldfastError USAGE for flags that exclude each other, or cannot be read */
export const run: Command = async (invocation, context) => {
  const { flags } = invocation;
  const given = EXCLUSIVE.filter((flag) => flags[flag] !== undefined);
  if (given.length > 1) {
    throw usage(
      `cannot reload with --${given[0]} and --${given[1]} at once`,
      'they are requests of their own: give one of them',
    );
  }
  const canary = canaryOf(invocation);
  if (flags.promote) return request('promote', 'promote', invocation, context);
  if (flags.abort) return request('abort', 'abort', invocation, context);
  if (flags.follow) return request('follow', 'reload', invocation, context);
  if (flags['dry-run']) return request({ reload: { dryRun: true } }, 'compare', invocation, context, showChanges);
  return request(canary === null ? 'reload' : { reload: { canary } }, 'reload', invocation, context);
};

function canaryOf(invocation: Invocation): { share: number; forMs: number } | null {
  const share = flagText(invocation, 'canary');
  const time = flagText(invocation, 'for');
  if (share === undefined) {
    if (time === undefined) return null;
    throw usage('cannot use --for alone: it says how long a canary is watched', 'add --canary 5%');
  }
  const percent = /^\d{1,2}(?:\.\d+)?(?=%$)/.exec(share)?.[0];
  const part = percent === undefined ? Number(share) : Number(percent) / 100;
  if (!isCanaryShare(part)) {
    throw usage(
      `cannot use --canary ${JSON.stringify(share)}: it is not a share of connections`,
      'write 5%; at most 50%',
    );
  }
  const forMs = parseDuration(time ?? DEFAULT_FOR);
  if (!isCanaryTimeMs(forMs)) {
    throw usage(`cannot use --for ${JSON.stringify(time)}: it is not a duration from 1s to 24h`, 'write 30s, 2m or 1h');
  }
  return { share: part, forMs };
}

/** Nothing where there is no change: the message says so. */
function showChanges({ changes = [] }: ResultLine): string {
  return changes.length === 0 ? '' : formatTable(COLUMNS, changes);
}

const COLUMNS: Column<Change>[] = [
  { title: 'what', align: 'left', cell: ({ what }) => ({ text: what }) },
  { title: 'name', align: 'left', cell: ({ name }) => ({ text: printable(name) }) },
  { title: 'now', align: 'left', cell: ({ from }) => ({ text: printable(from ?? '-') }) },
  // The same on both sides: a change whose values are not told.
  { title: 'then', align: 'left', cell: ({ from, to }) => ({ text: from === to ? 'changed' : printable(to ?? '-') }) },
];

function usage(message: string, hint: string): HoldfastError {
  return new HoldfastError('USAGE', message, { hint, exitCode: EXIT.usage });
}
