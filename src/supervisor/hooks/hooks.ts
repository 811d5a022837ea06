/**
 * Runs the owner's hooks: commands that are told of a reload, a roll-back or a crash loop, for chats and pagers.
 *
 * Made by the supervisor's run. Nothing ever waits for a hook but the end of the supervisor, and that for a moment only: one
 * at a time for each kind, the next ones in a short queue, each with a time limit.
 */
import os from 'node:os';
import type { Log } from '../../logs/logger.js';
import { type HookResult, runHook } from '../deployments/hook.js';
import type { Release } from '../deployments/release.js';
import { type Fields, type HookEvent, type Occasion, Occasions } from './occasions.js';

/** Of each kind; the oldest that waits gives way. */
const QUEUE_LIMIT = 8;
/** Environments are bounded by the system: execve(2). */
const REASON_CHARACTERS = 4_000;
/** At the supervisor's end those that run may come to their own, and are then ended: what it has to tell is often just that. */
const LAST_MS = 2_000;
/** From SIGTERM to SIGKILL. With the time above it is less than the supervisor's end waits for: see run.ts. */
const KILL_MS = 500;

export interface HooksOptions {
  readonly log: Log;
  readonly run?: typeof runHook;
  /** For tests. */
  readonly lastMs?: number;
}

interface Call {
  readonly occasion: Occasion;
  readonly release: Release;
  readonly time: Date;
}

interface Line {
  readonly waiting: Call[];
  running: Promise<void> | null;
}

export class Hooks {
  readonly #log: Log;
  readonly #run: typeof runHook;
  readonly #lastMs: number;
  readonly #occasions = new Occasions();
  readonly #lines = new Map<HookEvent, Line>();
  readonly #end = new AbortController();
  #closed = false;

  constructor({ log, run = runHook, lastMs = LAST_MS }: HooksOptions) {
    this.#log = log;
    this.#run = run;
    this.#lastMs = lastMs;
  }

  /** Takes what the core reports. @param present the release that serves */
  heard(message: string, fields: Fields, stable: number, present: () => Release): void {
    const occasion = this.#occasions.take(message, fields, stable);
    if (occasion === null || this.#closed) return;
    const release = present();
    if (release.config.hooks[occasion.event] === undefined) return;
    const line = this.#lineOf(occasion.event);
    line.waiting.push({ occasion, release, time: new Date() });
    if (line.waiting.length > QUEUE_LIMIT) {
      const skipped = line.waiting.shift();
      this.#log.logger.warn({ hook: nameOf(occasion.event), since: skipped?.time.toISOString() }, 'hook skipped');
    }
    line.running ??= this.#work(line).finally(() => {
      line.running = null;
    });
  }

  /** Nothing new is begun; what runs is ended when it does not end by itself. Never rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    const timer = setTimeout(() => this.#end.abort('the supervisor ends'), this.#lastMs);
    await Promise.all([...this.#lines.values()].map(({ running }) => running));
    clearTimeout(timer);
  }

  /** Those that run are ended now. */
  endNow(): void {
    this.#end.abort('the supervisor ends at once');
  }

  #lineOf(event: HookEvent): Line {
    const line = this.#lines.get(event) ?? { waiting: [], running: null };
    this.#lines.set(event, line);
    return line;
  }

  async #work(line: Line): Promise<void> {
    for (let call = line.waiting.shift(); call !== undefined; call = line.waiting.shift()) {
      const { event } = call.occasion;
      const result: HookResult = await this.#call(call).catch((error: Error) => ({ ok: false, reason: error.message }));
      if (result.ok) this.#log.logger.debug({ hook: nameOf(event) }, 'hook done');
      else this.#log.logger.warn({ hook: nameOf(event), reason: result.reason }, 'hook failed');
    }
  }

  #call({ occasion, release, time }: Call): Promise<HookResult> {
    const { config, cwd } = release;
    const facts = factsOf(occasion, config.name, time);
    return this.#run({
      name: nameOf(occasion.event),
      command: config.hooks[occasion.event] ?? '',
      cwd,
      env: { ...process.env, ...config.env, ...variablesOf(facts) },
      input: `${JSON.stringify(facts)}\n`,
      timeoutMs: config.hookTimeoutMs,
      killMs: KILL_MS,
      log: this.#log,
      signal: this.#end.signal,
    });
  }
}

/** As the option is called: the same in all that the log says of it. */
function nameOf(event: HookEvent): string {
  return `hooks.${event}`;
}

type Facts = ReturnType<typeof factsOf>;

export function factsOf(occasion: Occasion, name: string, time: Date) {
  const { event, generation, otherGeneration, slot, reason } = occasion;
  const facts = { event, name, host: os.hostname(), time: time.toISOString(), generation, otherGeneration, slot };
  // NUL cannot be in an environment.
  return { ...facts, reason: reason === null ? null : reason.replaceAll('\0', '').slice(0, REASON_CHARACTERS) };
}

/** `otherGeneration` is HOLDFAST_OTHER_GENERATION; what there is not is no variable. */
export function variablesOf(facts: Facts): Record<string, string> {
  const told = Object.entries(facts).filter(([, value]) => value !== null);
  return Object.fromEntries(
    told.map(([name, value]) => [
      `HOLDFAST_${name.replaceAll(/[A-Z]/g, (capital) => `_${capital}`).toUpperCase()}`,
      String(value),
    ]),
  );
}
