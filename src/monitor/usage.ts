/**
 * CPU and memory of processes.
 *
 * Asked by the status and by the metrics. One question at a time: the CPU share is counted since the last answer, and
 * pidusage keeps a descriptor for each PID that two simultaneous first questions would open twice and close once.
 */
import type pidusage from 'pidusage';

export interface Usage {
  /** CPU time since the last question about this PID, as a share of one CPU: 200 is two CPUs. 0 the first time. */
  readonly cpuPercent: number;
  /** Resident memory, in bytes, what is shared with other processes included. */
  readonly rssBytes: number;
}

let last: Promise<unknown> = Promise.resolve();

/**
 * Usage by PID. Never rejects: a PID that is gone, or that the system says nothing about, is missing in the answer.
 *
 * What is remembered of a PID is given up 60 to 90 s after the last question about it (pidusage's `maxage`; its timer does
 * not keep the process alive). Asked more rarely than that, the CPU share is 0.
 */
export function usage(pids: readonly number[]): Promise<Map<number, Usage>> {
  const answer = last.then(() => ask(pids));
  last = answer;
  return answer;
}

async function measure(pids: number[]): Promise<Record<string, pidusage.Status | null>> {
  // Loaded by the first question: many a supervisor is never asked. It rejects when none of them is there.
  const { default: pidusage } = await import('pidusage');
  return pidusage(pids);
}

async function ask(pids: readonly number[]): Promise<Map<number, Usage>> {
  const found = new Map<number, Usage>();
  // One impossible PID would make pidusage refuse all of them.
  const possible = pids.filter((pid) => Number.isInteger(pid) && pid > 0);
  if (possible.length === 0) return found;
  const statistics = await measure(possible).catch(() => ({}) as Record<string, pidusage.Status | null>);
  for (const pid of possible) {
    const statistic = statistics[pid];
    if (statistic) found.set(pid, { cpuPercent: Math.max(0, statistic.cpu), rssBytes: statistic.memory });
  }
  return found;
}
