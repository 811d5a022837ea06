/** The last lines: what goes on, what is asked, and the keys. Pure. */
import { safe } from '../../output/cells.js';
import { formatDuration } from '../../output/quantity.js';
import { bar, fit, type Line, type Run, run, spread } from '../../output/runs.js';
import type { State } from '../model/model.js';

export function footOf(state: State, width: number): Line[] {
  const foot: Line[] = [];
  const action = actionLine(state);
  if (action !== null) foot.push(action);
  if (state.question !== null) return [...foot, bar([run(` ${questionText(state)}`)], width, 'ask')];
  if (state.typed !== null) {
    const help = spread([run(`filter: ${safe(state.typed)}_`)], [run('Enter keeps it, Esc takes it away ')], width);
    return [...foot, bar(help, width, 'ask')];
  }
  return [...foot, keysOf(state, width)];
}

function questionText({ question, history, name }: State): string {
  const size = history.status?.size ?? 0;
  const who = safe(name ?? '');
  if (question?.verb === 'scale') {
    return `Scale ${who} from ${size} to ${question.to} workers?  y yes  + - change it  any other key no`;
  }
  return `Reload ${who}: replace all ${size} workers?  y yes  any other key no`;
}

function actionLine({ action, nowMs, name }: State): Line | null {
  if (action === null) return null;
  const { verb, sinceMs, step, result } = action;
  if (result !== null) return [run(` ${safe(result.text)}`, result.ok ? 'good' : 'bad')];
  const told = step === null ? '' : `: ${safe(step)}`;
  return [run(` ${verb} of ${safe(name ?? '')}, ${formatDuration(nowMs - sinceMs)}${told}`, 'busy')];
}

function keysOf(state: State, width: number): Line {
  const filter = state.filter === '' ? [] : [run(` filter: ${safe(state.filter)} `, 'busy')];
  const keys: readonly (readonly [string, string])[] =
    state.page === 'list'
      ? [
          ['↑↓', 'choose'],
          ['Enter', 'look at it'],
          ['?', 'help'],
          ['q', 'quit'],
        ]
      : state.page === 'worker'
        ? [
            ['Esc', 'back'],
            ['↑↓', 'other worker'],
            ['r', 'reload'],
            ['+ -', 'scale'],
            ['?', 'help'],
            ['q', 'quit'],
          ]
        : [
            // Not both: 80 columns have no room for them.
            state.hasList ? ['Esc', 'list'] : ['↑↓', 'choose'],
            ['Enter', 'worker'],
            ['s', 'sort'],
            ['/', 'filter'],
            ['r', 'reload'],
            ['+ -', 'scale'],
            ['?', 'help'],
            ['q', 'quit'],
          ];
  const left = keys.flatMap(([key, what]): Run[] => [run(` ${key}`, 'bold'), run(` ${what} `, 'dim')]);
  // What is left out must be known: before the keys.
  return fit([...filter, ...left], width);
}
