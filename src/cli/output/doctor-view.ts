/** The doctor's report as text for people: pure. */
import { inspect } from 'node:util';
import type { DoctorReport } from '../../platform/doctor.js';
import { wrap } from './cells.js';
import { type Cell, type Column, formatTable, type Paint, printable } from './table.js';

type Promised = DoctorReport['promises'][number];
type Checked = DoctorReport['checks'][number];
type Verdict = Promised['state'] | Checked['result'];

/** What one promise or check takes up in its table, wrapped in the last column. */
interface Entry {
  readonly label: string;
  readonly verdict: Verdict;
  readonly colour: Colour;
  readonly texts: readonly string[];
}

type Colour = 'green' | 'yellow' | 'red';

/** Only the first line of an entry has a label and a verdict. */
interface Line {
  readonly label: string;
  readonly verdict: Cell;
  readonly text: string;
}

/** More is hard to read, less is of no use. */
const WIDEST = 100;
const NARROWEST_TEXT = 30;
const GAP_COLUMNS = 2;

const COLOURS: Readonly<Record<Verdict, Colour>> = {
  kept: 'green',
  ok: 'green',
  degraded: 'yellow',
  unknown: 'yellow',
  missing: 'red',
  broken: 'red',
};

/**
 * The promises, then every check with what it found, what that means, and what to do.
 *
 * @param columns the width of the terminal; 100 at most is used
 */
export function describeReport({ promises, checks }: DoctorReport, colour: boolean, columns = WIDEST): string {
  const promised = promises.map(({ number, state, promise, reason }) => ({
    label: String(number),
    verdict: state,
    colour: COLOURS[state],
    texts: reason === null ? [promise] : [promise, reason],
  }));
  const checked = checks.map(({ title, result, found, meaning, remedy }) => ({
    label: title,
    verdict: result,
    // Where there is nothing to be done, nobody is to be alarmed.
    colour: result === 'missing' && remedy === null ? COLOURS.degraded : COLOURS[result],
    texts: [found, `means: ${meaning}`, ...(remedy === null ? [] : [`remedy: ${remedy}`])],
  }));
  const promiseTable = table(['promise', 'here', ''], promised, colour, columns);
  return `${promiseTable}\n${table(['check', 'result', 'what was found'], checked, colour, columns)}`;
}

/** What to say of promises that are not kept: once for each reason, with the remedy as the next step. */
export function complaints({ promises }: DoctorReport): { message: string; hint: string | undefined }[] {
  const byReason = new Map<string, Promised[]>();
  for (const promised of promises) {
    if (promised.reason === null) continue;
    byReason.set(promised.reason, [...(byReason.get(promised.reason) ?? []), promised]);
  }
  return [...byReason].map(([reason, group]) => {
    const numbers = new Intl.ListFormat('en').format(group.map(({ number }) => String(number)));
    const which = `${group.length === 1 ? 'promise' : 'promises'} ${numbers}`;
    const verb = group[0]?.state === 'unknown' ? 'cannot tell whether this machine keeps' : 'cannot keep';
    const remedy = group[0]?.remedy ?? null;
    return {
      message: `${verb} ${which}: ${printable(reason)}`,
      hint: remedy === null ? undefined : printable(remedy),
    };
  });
}

function table(
  [labels, verdicts, texts]: readonly [string, string, string],
  entries: readonly Entry[],
  colour: boolean,
  columns: number,
): string {
  const labelWidth = Math.max(labels.length, ...entries.map(({ label }) => label.length));
  const verdictWidth = Math.max(verdicts.length, ...entries.map(({ verdict }) => verdict.length));
  const width = Math.max(NARROWEST_TEXT, Math.min(columns, WIDEST) - labelWidth - verdictWidth - 2 * GAP_COLUMNS);
  const shown: Column<Line>[] = [
    { title: labels, align: 'left', cell: ({ label }) => ({ text: label }) },
    { title: verdicts, align: 'left', cell: ({ verdict }) => verdict },
    { title: texts, align: 'left', cell: ({ text }) => ({ text }) },
  ];
  const paintTitle = colour ? painted('bold') : undefined;
  return formatTable(
    shown,
    entries.flatMap((entry) => linesOf(entry, width, colour)),
    { paintTitle },
  );
}

function linesOf({ label, verdict, colour: name, texts }: Entry, width: number, colour: boolean): Line[] {
  const first = { label, verdict: { text: verdict, paint: colour ? painted(name) : undefined } };
  const others = { label: '', verdict: { text: '' } };
  return texts
    .flatMap((text) => wrap(printable(text), width))
    .map((text, i) => ({ ...(i === 0 ? first : others), text }));
}

function painted(style: Colour | 'bold'): Paint {
  const [on, off] = inspect.colors[style] ?? [0, 0];
  return (text) => `\u001b[${on}m${text}\u001b[${off}m`;
}
