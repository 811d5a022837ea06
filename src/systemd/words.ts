/** The state of the supervisor in the words that systemd is told: see sd_notify(3). Pure. */
import os from 'node:os';
import { servedSlots } from '../core/state/standing.js';
import type { State } from '../core/state/types.js';

/** What there is to tell apart: each change is told. */
export interface Situation {
  readonly phase: 'starting' | 'ready' | 'reloading' | 'stopping';
  /** One line for people: `systemctl status` shows it. */
  readonly status: string;
}

/** A reason may be many lines of a worker's; the first says what it is. */
const LONGEST_REASON = 300;
const ERRNO = /\b(E[A-Z0-9]{2,})\b/g;

export function situationOf(state: State): Situation {
  const { phase, rollout, announced } = state;
  if (phase === 'stopping' || phase === 'stopped') return { phase: 'stopping', status: stopping(state) };
  const served = servedSlots(state);
  const count = served === state.size ? workers(state.size) : `${served} of ${workers(state.size)}`;
  if (!announced) return { phase: 'starting', status: `${count} ready` };
  if (phase === 'restarting') return { phase: 'reloading', status: 'restarting all workers' };
  const present = `${count} ready, generation ${state.stable}`;
  if (rollout.state === 'rollingBack') {
    return {
      phase: 'reloading',
      status: `${present}; taking back generation ${rollout.to}: ${firstLine(rollout.reason)}`,
    };
  }
  if (rollout.state === 'running') {
    if (rollout.canary !== null) {
      return { phase: 'reloading', status: `${present}; generation ${rollout.to} is watched as a canary` };
    }
    if (rollout.trial !== null) {
      return { phase: 'reloading', status: `${present}; generation ${rollout.to} is on trial` };
    }
    const fresh = state.workers.filter(
      ({ generation, slot, state: own }) => own === 'ready' && slot < state.size && generation === rollout.to,
    ).length;
    return {
      phase: 'reloading',
      status: `${present}; generation ${rollout.to} has ${fresh} of ${workers(state.size)}`,
    };
  }
  const failed =
    rollout.state === 'rolledBack' ? `; generation ${rollout.to} was rolled back: ${firstLine(rollout.reason)}` : '';
  return { phase: 'ready', status: `${present}${failed}${state.crashLoop ? '; crash loop' : ''}` };
}

/** Assignments for an end that is a failure. `ERRNO` is that which the reason names, where it names one. */
export function failureOf(reason: string, exitStatus: number): string[] {
  const codes: Readonly<Record<string, number | undefined>> = os.constants.errno;
  const [errno] = [...reason.matchAll(ERRNO)].flatMap(([, name = '']) => codes[name] ?? []);
  return [
    `STATUS=${firstLine(reason)}`,
    ...(errno === undefined ? [] : [`ERRNO=${errno}`]),
    `EXIT_STATUS=${exitStatus}`,
  ];
}

function stopping({ workers: all }: State): string {
  const draining = all.filter(({ state }) => state === 'draining').length;
  return `stopping: ${draining} of ${workers(all.length)} still draining`;
}

function workers(count: number): string {
  return count === 1 ? '1 worker' : `${count} workers`;
}

function firstLine(text: string | null): string {
  const line = (text ?? '').replace(/(?:; the last it wrote:)?\n.*/s, '');
  return line.length > LONGEST_REASON ? `${line.slice(0, LONGEST_REASON)}…` : line;
}
