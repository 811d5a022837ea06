/** A rollout in one line, and what else is worth a line of its own. Pure. */
import type { SupervisorStatus } from '../../../protocol/status.js';
import { replacedSlots } from '../../../replaced-slots.js';
import { safe } from '../../output/cells.js';
import { formatDelay, formatPercent, formatRest } from '../../output/quantity.js';
import { type Line, type Run, run } from '../../output/runs.js';

/** None where there is nothing to be said. */
export function rolloutLine(status: SupervisorStatus): Line[] {
  const lines: Line[] = [];
  const { rollout, size } = status;
  const { state, from, to, reason, canary, trial } = rollout;
  if (status.crashLoop) lines.push([run('crash loop: workers crash again and again', 'bad')]);
  if (state === 'none') return lines;
  const generations = from === null || to === null ? '' : ` from generation ${from} to ${to}`;
  if (state === 'done') return [...lines, [run('rollout', 'dim'), run(` done${generations}`, 'dim')]];
  if (state === 'rolledBack') {
    return [...lines, [run('rollout', 'dim'), run(` rolled back${generations}`, 'bad'), ...reasonOf(reason)]];
  }
  const going: Run[] = [
    run('rollout', 'dim'),
    run(`${generations}  ${replacedSlots(status)} of ${size} replaced`, 'busy'),
  ];
  if (reason !== null) going.push(run('  being rolled back', 'bad'), ...reasonOf(reason));
  if (trial !== null) going.push(run(`  slot ${trial.slot} on trial${left(trial.remainingMs)}`, 'busy'));
  lines.push(going);
  if (canary !== null) {
    const { figures } = canary;
    const compared = [figures?.canary, figures?.others].map((side) =>
      side === undefined
        ? null
        : { errors: side.answers === 0 ? null : (100 * side.serverErrors) / side.answers, side },
    );
    const [own, others] = compared;
    const text =
      own == null || others == null
        ? ''
        : `  5xx ${formatPercent(own.errors)} (others ${formatPercent(others.errors)})  p99 ${formatDelay(own.side.p99Ms)} (others ${formatDelay(others.side.p99Ms)})`;
    const share = `${canary.exact ? '' : 'about '}${Math.round(canary.share * 1_000) / 10}%`;
    lines.push([run(`canary in slot ${canary.slot}, ${share}${left(canary.remainingMs)}`, 'bold'), run(text)]);
  }
  return lines;
}

function left(remainingMs: number | null): string {
  return remainingMs === null ? '' : `, ${formatRest(remainingMs)} left`;
}

function reasonOf(reason: string | null): Run[] {
  return reason === null ? [] : [run(`: ${safe(reason)}`, 'bad')];
}
