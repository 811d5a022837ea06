/** Profiles and debugging of live workers: who is asked for what, and that there is an end to it in any case. */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { ControlResult, ProfileOptions, WorkerMessage } from '../../protocol.js';
import type { WorkerHandle } from './handle.js';
import { endInspector, isInspectorUrl } from './hang-stack.js';

type Profiled = Extract<WorkerMessage, { type: 'profiled' }>;
type Inspected = Extract<WorkerMessage, { type: 'inspected' }>;
type Answer = Profiled | Inspected;

/** A heap of gigabytes takes minutes, and the event loop stands still meanwhile. */
const HEAP_MS = 10 * 60_000;
/** Beyond its time: a busy loop comes to it late. */
const PATIENCE_MS = 60_000;
const OPEN_MS = 10_000;
/** Who has asked for a profile takes it at once. */
const SPARE_MS = 5 * 60_000;

export class Examinations {
  readonly #runtimeDir: string;
  readonly #waiting = new Map<
    number,
    { readonly worker: number; readonly settle: (answer: Answer | string) => void }
  >();
  readonly #busy = new Set<number>();
  /** Told when the worker has ended. */
  readonly #ends = new Map<number, () => void>();
  #asked = 0;

  /** @param runtimeDir only this user may enter it */
  constructor(runtimeDir: string) {
    this.#runtimeDir = runtimeDir;
  }

  /** Whether its event loop may stand still for a while: it must not be taken for one that hangs. */
  isBusy(worker: number): boolean {
    return this.#busy.has(worker);
  }

  async profile(handle: WorkerHandle, { what, forMs, file, id }: ProfileOptions): Promise<ControlResult> {
    const { worker } = handle.identity;
    const spare = path.join(
      this.#runtimeDir,
      `.${handle.identity.name}.${process.pid}-${worker}-${Date.now()}.profile`,
    );
    const timeMs = what === 'heap' ? HEAP_MS : forMs + PATIENCE_MS;
    return this.#alone(worker, async () => {
      const order = { type: 'profile', what, forMs, file, id, spare } as const;
      const answer = await this.#ask(handle, order, timeMs);
      const reason = typeof answer === 'string' ? answer : 'aside' in answer && !answer.ok ? answer.detail : null;
      const aside = typeof answer === 'string' || ('aside' in answer && answer.aside);
      // What nobody can take, or has taken by then, is not to fill the folder.
      if (reason !== null) await rm(spare, { force: true }).catch(() => {});
      else if (aside) setTimeout(() => void rm(spare, { force: true }).catch(() => {}), SPARE_MS).unref();
      if (reason !== null) return { ok: false, message: 'failed', reason };
      return { ok: true, message: `worker ${worker} profiled`, reason: null, ...(aside && { file: spare }) };
    });
  }

  /**
   * Opens the inspector of a worker until nobody wants it any more.
   *
   * @param opened told the URL, by which alone one can attach
   * @param gone aborted when who has asked has gone
   */
  async inspect(handle: WorkerHandle, opened: (url: string) => void, gone: AbortSignal): Promise<ControlResult> {
    const { worker } = handle.identity;
    return this.#alone(worker, async () => {
      handle.concealsInspector = true;
      const ended = new Promise<'ended'>((resolve) => this.#ends.set(worker, () => resolve('ended')));
      try {
        const answer = await this.#ask(handle, { type: 'inspect' }, OPEN_MS);
        if (typeof answer === 'string') return { ok: false, message: 'failed', reason: answer };
        if (!('url' in answer) || !isInspectorUrl(answer.url)) {
          const detail = 'detail' in answer && answer.detail !== '' ? answer.detail : 'it has no inspector on loopback';
          return { ok: false, message: 'failed', reason: detail };
        }
        opened(answer.url);
        const left = new Promise<'left'>((resolve) => {
          if (gone.aborted) resolve('left');
          gone.addEventListener('abort', () => resolve('left'), { once: true });
        });
        if ((await Promise.race([ended, left])) === 'ended') {
          return { ok: false, message: 'failed', reason: `worker ${worker} has ended` };
        }
        // One that its owner has opened is his.
        if (!answer.wasOpen) await endInspector(answer.url);
        return { ok: true, message: 'the inspector is closed', reason: null };
      } finally {
        this.#ends.delete(worker);
        handle.concealsInspector = false;
      }
    });
  }

  answered(worker: number, answer: Answer): void {
    const waiting = this.#waiting.get(answer.seq);
    if (waiting?.worker === worker) waiting.settle(answer);
  }

  /** The worker has ended. */
  forget(worker: number): void {
    for (const waiting of [...this.#waiting.values()]) {
      if (waiting.worker === worker) waiting.settle(`worker ${worker} has ended`);
    }
    this.#ends.get(worker)?.();
  }

  async #alone(worker: number, act: () => Promise<ControlResult>): Promise<ControlResult> {
    if (this.#busy.has(worker)) {
      const reason = `worker ${worker} is being profiled or inspected already`;
      return { ok: false, message: 'failed', reason };
    }
    this.#busy.add(worker);
    try {
      return await act();
    } finally {
      this.#busy.delete(worker);
    }
  }

  /** @returns its answer, or why there is none */
  #ask(
    handle: WorkerHandle,
    order:
      | Omit<Extract<Parameters<WorkerHandle['send']>[0], { type: 'profile' }>, 'seq'>
      | { readonly type: 'inspect' },
    timeMs: number,
  ): Promise<Answer | string> {
    const { worker } = handle.identity;
    if (!handle.connected || handle.plain)
      return Promise.resolve(`worker ${worker} cannot be asked: it has no channel`);
    this.#asked += 1;
    const seq = this.#asked;
    return new Promise((resolve) => {
      const settle = (answer: Answer | string) => {
        clearTimeout(timer);
        this.#waiting.delete(seq);
        resolve(answer);
      };
      const late = `worker ${worker} does not answer: its event loop is blocked, or it stands at a breakpoint`;
      const timer = setTimeout(() => settle(late), timeMs);
      this.#waiting.set(seq, { worker, settle });
      void handle.send({ ...order, seq });
    });
  }
}
