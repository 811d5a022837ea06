/** Requests under way: who waits for which answer of the core, and who wants to see the progress. */
import type { AnyEvent } from '../core/supervision.js';
import type { ControlLine, ControlResult } from '../protocol/control.js';

export type ProgressLine = ControlLine & { readonly type: 'progress' };
export type Progress = (line: ProgressLine) => void;

interface Waiting {
  readonly resolve: (result: ControlResult) => void;
  readonly progress: Progress;
  readonly done: string;
}

export class Requests {
  readonly #waiting = new Map<number, Waiting>();
  #last = 0;

  /**
   * Hands a new request's number to `begin` and resolves with its answer.
   *
   * @param done what to say when it went well
   */
  open(done: string, progress: Progress, begin: (request: number) => void): Promise<ControlResult> {
    this.#last += 1;
    const request = this.#last;
    return new Promise((resolve) => {
      this.#waiting.set(request, { resolve, progress, done });
      begin(request);
    });
  }

  answer(request: number, ok: boolean, reason: string | null): void {
    const waiting = this.#waiting.get(request);
    this.#waiting.delete(request);
    waiting?.resolve({ ok, message: ok ? waiting.done : 'failed', reason });
  }

  /** A fault of the supervisor: a request that it has come at is answered with that. */
  failed(event: AnyEvent, error: unknown): void {
    if (!('request' in event)) return;
    const reason = error instanceof Error ? error.message : String(error);
    this.answer(event.request, false, `a fault in the supervisor: ${reason}`);
  }

  progress(message: string, fields: Readonly<Record<string, unknown>>): void {
    for (const waiting of this.#waiting.values()) tell(waiting.progress, { type: 'progress', message, fields });
  }
}

/** Who has asked may be gone: that must not keep the others from being told. */
export function tell(progress: Progress, line: ProgressLine): void {
  try {
    progress(line);
  } catch {
    // The answer finds nobody either.
  }
}
