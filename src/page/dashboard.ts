/** The page of `holdfast dashboard`: all supervisors of a runtime folder, a line for each, which leads to its own page. */
import type { DashboardFacts, DashboardList, DashboardRow } from '../protocol/page.js';
import { byId, say } from './dom.js';
import { share, standing, stateOf } from './states.js';
import { type Column, Table } from './table.js';
import { beginTheme } from './theme.js';
import { bytes, count, dated, type Known, ms, percent, time } from './words.js';

const EVERY_MS = 2_000;
const LONGEST_MS = 15_000;
/** Supervisors that do not answer are waited for, but not for long. */
const PATIENCE_MS = 10_000;

type Value = number | string | null;
type Figure = {
  [K in keyof DashboardFacts]: DashboardFacts[K] extends number | null ? K : never;
}[keyof DashboardFacts];

/** Of one that does not answer there is nothing to tell. */
const of = (name: string, value: (facts: DashboardFacts) => Value, text: (facts: DashboardFacts) => string) => ({
  name,
  value: ({ facts }: DashboardRow) => (facts === null ? null : value(facts)),
  text: ({ facts }: DashboardRow) => (facts === null ? '–' : text(facts)),
});
const figure = (name: string, field: Figure, text: (value: Known) => string) =>
  of(
    name,
    (facts) => facts[field],
    (facts) => text(facts[field]),
  );
const wrapped = (name: string, text: (facts: DashboardFacts) => string) => ({ ...of(name, text, text), wraps: true });

const stateIn = ({ facts }: DashboardRow) => (facts === null ? 'Does not answer' : stateOf(facts)[0]);
const errors = (facts: DashboardFacts) => share(facts.errors, facts.requests);

const COLUMNS: readonly Column<DashboardRow>[] = [
  { name: 'Name', value: ({ name }) => name, text: ({ name }) => name, link: ({ facts }) => facts?.page ?? null },
  { name: 'State', value: stateIn, text: stateIn, wraps: true },
  figure('Requests/s', 'requests', count),
  of('5xx', errors, (facts) => percent(errors(facts))),
  figure('p99', 'p99Ms', ms),
  figure('CPU', 'cpu', percent),
  figure('Memory', 'memoryBytes', bytes),
  figure('Restarts', 'restarts', count),
  figure('Generation', 'generation', count),
  figure('Up', 'uptimeMs', time),
  wrapped('Last rollout', ({ rollout }) => lastRollout(rollout)),
  wrapped('Release', ({ release }) => release ?? '–'),
];

function lastRollout({ state, reason }: DashboardFacts['rollout']): string {
  if (state === 'rolledBack') return `rolled back: ${reason ?? 'no reason given'}`;
  return { none: '–', running: 'under way', done: 'done' }[state];
}

const table = new Table<DashboardRow>('supervisors', 'Supervisors, with how they are', COLUMNS, ({ name }) => name);
let shownAt = 0;

function show({ folder, rows }: DashboardList): void {
  shownAt = Date.now() / 1000;
  const unhealthy = rows.filter(({ facts }) => facts === null || stateOf(facts)[1] !== 'state well');
  const words = standing(rows.length, unhealthy.length);
  if (rows.length === 0) say(byId('state'), words, 'state');
  else say(byId('state'), words, unhealthy.length === 0 ? 'state well' : 'state warn');
  document.title = `${words} – holdfast`;
  const leads = rows.length === 0 ? '' : ' A name leads to the page of its supervisor, if that has an admin address.';
  say(byId('facts'), `In ${folder}.${leads}`);
  byId('lost').hidden = true;
  byId('supervisors').hidden = rows.length === 0;
  byId('empty').hidden = rows.length > 0;
  say(byId('empty'), 'Supervisors that are started there appear here by themselves: holdfast start server.js');
  const odd = new Set(unhealthy);
  table.show(rows, (row) => odd.has(row));
}

function lose(waitMs: number): void {
  const lost = byId('lost');
  lost.hidden = false;
  const seen = shownAt === 0 ? '' : ` This page shows what it last told, at ${dated(shownAt)}.`;
  say(lost, `holdfast dashboard does not answer.${seen} It is asked again in ${Math.round(waitMs / 1000)} s.`);
  say(byId('state'), 'Connection lost', 'state bad');
}

async function ask(): Promise<void> {
  for (let wait = EVERY_MS; ; ) {
    try {
      const answer = await fetch('/list', { signal: AbortSignal.timeout(PATIENCE_MS), cache: 'no-store' });
      if (!answer.ok) throw new Error(String(answer.status));
      show((await answer.json()) as DashboardList);
      wait = EVERY_MS;
    } catch {
      wait = Math.min(LONGEST_MS, wait * 2);
      lose(wait);
    }
    await new Promise<void>((resolve) => {
      const begun = setTimeout(resolve, wait);
      const again = () => {
        clearTimeout(begun);
        resolve();
      };
      addEventListener('online', again, { once: true });
    });
    // Nobody looks: nobody is asked.
    if (document.hidden)
      await new Promise<void>((resolve) => {
        document.addEventListener('visibilitychange', () => resolve(), { once: true });
      });
  }
}

// What scrolls can be scrolled by the keyboard.
for (const place of document.querySelectorAll<HTMLElement>('.wide')) place.tabIndex = 0;
beginTheme(() => {});
void ask();
