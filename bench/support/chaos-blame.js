/**
 * Whose fault an error of a client is. It is excused only where the worker that had the connection was ended by a fault that the
 * run itself has caused, or by several together that kept it still, and was under it while the client waited. Whatever else went
 * wrong was lost.
 */
import { readFileSync } from 'node:fs';

/** What a client may take to notice, and what the clock readings of two processes may be apart. */
const SLACK_MS = 1_000;
const READING_MS = 5;
/** A worker that is to end by a fault has ended by then: hang, drain and kill time together. */
const ENDS_WITHIN_MS = 25_000;
/** Of the time after which a worker hangs, what a supervisor that looks from time to time may be short of. */
const HANGS_FROM = 0.9;

export class Blame {
  /** By PID: what was done to it. PIDs may come again, which the times tell apart. */
  #faults = [];
  #deaths = [];
  #stills = [];
  #told;
  #hangMs;

  /** @param told is told of each fault, for people @param hangMs after which a silent worker may be killed */
  constructor(told, hangMs) {
    this.#told = told;
    this.#hangMs = hangMs;
  }

  /**
   * @param kind how it is called in the report
   * @param at monotonic ms at which it began
   * @param ports of the clients whose connections it had just then, where that is known
   * @param mustBeKilled the worker may also live through it, or end by itself: then nothing is excused
   */
  fault({ pid, kind, at, ports = new Set(), mustBeKilled = false }) {
    this.#faults.push({ pid, kind, at, ports, mustBeKilled });
    this.#told(`  ${kind}: ${pid}`);
  }

  /** A worker could not answer. @param pid null for all of them @param to monotonic ms, as it really was: a busy machine adds to it */
  wasStill(pid, from, to) {
    this.#stills.push({ pid, from, to });
  }

  died(pid, at, signal) {
    this.#deaths.push({ pid, at, signal });
  }

  /**
   * @param file the notes of the workers
   * @returns the errors, each with its `holder` and with the fault that excuses it, or null
   */
  judge(errors, file) {
    const notes = new Map();
    for (const line of readFileSync(file, 'utf8').split('\n')) {
      const [at, pid, port] = line.split(' ').map(Number);
      if (!notes.has(port)) notes.set(port, []);
      notes.get(port).push({ at, pid });
    }
    return errors.map((error) => {
      const since = error.connectedAt - READING_MS;
      const held = (notes.get(error.localPort) ?? []).filter(({ at }) => at >= since && at <= error.failedAt);
      const holder = held.at(-1)?.pid ?? null;
      return { ...error, holder, excuse: this.#excuse(error, holder) };
    });
  }

  #excuse({ localPort, connectedAt, sentAt, failedAt }, holder) {
    const fault = this.#faults.findLast(({ pid, at, ports, mustBeKilled }) => {
      if (at > failedAt || at < connectedAt - ENDS_WITHIN_MS) return false;
      if (pid !== holder && !(ports.has(localPort) && at >= connectedAt)) return false;
      const death = this.#deaths.find((one) => one.pid === pid && one.at >= at - SLACK_MS);
      if (death === undefined || death.at > at + ENDS_WITHIN_MS) return false;
      if (mustBeKilled && death.signal !== 'SIGKILL') return false;
      return death.at >= sentAt - SLACK_MS;
    });
    return fault?.kind ?? (this.#hung(holder, sentAt, failedAt) ? 'stills' : null);
  }

  /** One that is stopped, and blocked, and stalled, none of which for long, hangs by all of them together. */
  #hung(holder, sentAt, failedAt) {
    const death = this.#deaths.find(
      ({ pid, at, signal }) =>
        pid === holder && signal === 'SIGKILL' && at >= sentAt - SLACK_MS && at <= failedAt + SLACK_MS,
    );
    if (death === undefined) return false;
    const since = death.at - 2 * this.#hangMs;
    const stills = this.#stills.filter(({ pid, to }) => (pid === null || pid === holder) && to > since);
    let still = 0;
    let covered = since;
    for (const { from, to } of stills.sort((a, b) => a.from - b.from)) {
      const end = Math.min(to, death.at);
      still += Math.max(0, end - Math.max(from, covered));
      covered = Math.max(covered, end);
    }
    return still >= this.#hangMs * HANGS_FROM;
  }
}
