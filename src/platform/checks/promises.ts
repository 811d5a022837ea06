/** What the checks mean for what holdfast promises. Pure. */
import type { CheckId, CheckReport } from './check.js';

export interface PromiseReport {
  /** Of the six, as the README has them. */
  readonly number: number;
  readonly promise: string;
  /** `unknown`: nothing speaks against it, but a check that it needs could not be made. */
  readonly state: 'kept' | 'broken' | 'unknown';
  /** Why it is not kept; null if it is. */
  readonly reason: string | null;
  readonly remedy: string | null;
  /** The checks that it depends on. */
  readonly checks: readonly CheckId[];
}

/** Without a runtime folder there is no supervisor that could keep anything. */
const SERVING: readonly CheckId[] = ['reuseAddr', 'runtimeFolder'];

const PROMISES: readonly Pick<PromiseReport, 'promise' | 'checks'>[] = [
  { promise: 'A reload loses nothing', checks: SERVING },
  { promise: 'A bad release never takes over', checks: SERVING },
  { promise: 'A crash costs only the requests inside the crashed worker', checks: SERVING },
  {
    promise: 'The kernel balances, holdfast steers: a blocked worker gets no new connections',
    checks: ['reusePort', 'steering', 'runtimeFolder'],
  },
  // A fallback that is written in the code: there is nothing in a machine that could take it away.
  { promise: 'Without SO_REUSEPORT it says so and falls back to SO_REUSEADDR', checks: [] },
  // Without koffi workers outlive their supervisor all the same, but nothing can be put in its place.
  {
    promise: 'The supervisor may die, or be upgraded: workers keep serving',
    checks: ['takeover', 'koffi', 'runtimeFolder'],
  },
];

/** A check that is not among the reports counts as one that could not be made. */
export function judgePromises(reports: readonly CheckReport[]): PromiseReport[] {
  return PROMISES.map(({ promise, checks }, i) => {
    const needed = checks.map((id) => reports.find((report) => report.id === id) ?? notMade(id));
    const culprit =
      needed.find(({ result }) => result === 'missing' || result === 'degraded') ??
      needed.find(({ result }) => result === 'unknown');
    if (culprit === undefined) return { number: i + 1, promise, state: 'kept', reason: null, remedy: null, checks };
    const state = culprit.result === 'unknown' ? 'unknown' : 'broken';
    const reason = `${culprit.title}: ${culprit.found}`;
    return { number: i + 1, promise, state, reason, remedy: culprit.remedy, checks };
  });
}

function notMade(id: CheckId): CheckReport {
  return { id, title: id, result: 'unknown', found: 'the check was not made', meaning: '', remedy: null };
}
