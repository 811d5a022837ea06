/** The rollout slot by slot, a canary beside the others, and why it ended as it did. */
import type { PageNow } from '../protocol/page.js';
import type { CanaryFigures } from '../protocol/status.js';
import { byId, make } from './dom.js';
import { count, ms, percent, time } from './words.js';

let shown = '';

export function showRollout({ status, workers }: PageNow): void {
  const { rollout, size } = status;
  const { state, from, to, reason, canary } = rollout;
  byId('rollout').hidden = state === 'none';
  // A canary, and what surges, has a slot beyond them.
  const length = Math.max(size, ...workers.map(({ slot }) => slot + 1));
  const slots = Array.from({ length }, (_none, slot) => {
    const own = workers.filter((worker) => worker.slot === slot);
    const told = own.map((worker) => `generation ${worker.generation} ${worker.state}`).join(', ');
    return `Slot ${slot}: ${told || 'no worker'}`;
  });
  const words = {
    none: '',
    running: `From generation ${from} to ${to}${reason === null ? '' : `, is being rolled back: ${reason}`}`,
    done: `Generation ${to} has taken over from ${from}`,
    rolledBack: `Generation ${to} was rolled back: ${reason ?? 'no reason given'}`,
  };
  const isRunning = state === 'running';
  // Built anew only where something is other than before.
  const now = JSON.stringify([words[state], isRunning ? [slots, canary] : null]);
  if (now === shown) return;
  shown = now;
  const parts: Node[] = [make('p', { class: state === 'rolledBack' ? 'bad' : '' }, words[state])];
  if (isRunning) parts.push(make('ul', { class: 'history' }, ...slots.map((slot) => make('li', {}, slot))));
  if (isRunning && canary !== null) {
    const left = canary.remainingMs === null ? 'is not ready yet' : `is judged for ${time(canary.remainingMs)} more`;
    const share = `${percent(canary.share)} of new connections${canary.exact ? '' : ', about'}`;
    parts.push(make('p', {}, `The canary in slot ${canary.slot} has ${share}, and ${left}.`));
    if (canary.figures !== null) parts.push(comparison(canary.figures.canary, canary.figures.others));
  }
  byId('rollout-body').replaceChildren(...parts);
}

function comparison(canary: CanaryFigures, others: CanaryFigures): Node {
  const errors = ({ answers, serverErrors }: CanaryFigures) => (answers === 0 ? '–' : percent(serverErrors / answers));
  const row = (name: string, text: (figures: CanaryFigures) => string) =>
    make('tr', {}, make('th', { scope: 'row' }, name), make('td', {}, text(canary)), make('td', {}, text(others)));
  const head = ['', 'Canary', 'The others'].map((name) => make('th', { scope: 'col' }, name));
  return make(
    'table',
    {},
    make('caption', { class: 'hidden' }, 'The canary beside the others, since it is ready'),
    make('thead', {}, make('tr', {}, ...head)),
    make(
      'tbody',
      {},
      row('Answers', ({ answers }) => count(answers)),
      row('5xx', errors),
      row('p99', ({ p99Ms }) => ms(p99Ms)),
      row('Loop delay', ({ loopDelayMs }) => ms(loopDelayMs)),
    ),
  );
}
