/** Profiles and debugging of live workers: who is asked for what, and that there is an end to it in any case. */
import { readdirSync, rmSync } from 'node:fs';
import { lstat, rm } from 'node:fs/promises';
import path from 'node:path';
import type { ControlResult, ProfileOptions } from '../../../protocol/control.js';
import type { SupervisorMessage, WorkerMessage } from '../../../protocol/worker.js';
import type { WorkerHandle } from '../process/handle.js';
import { endInspector, isInspectorUrl } from './hang-stack.js';

type Profiled = Extract<WorkerMessage, { type: 'profiled' }>;
type Inspected = Extract<WorkerMessage, { type: 'inspected' }>;
type Answer = Profiled | Inspected;
type Profile = Extract<SupervisorMessage, { type: 'profile' }>;
type Order = Omit<Profile, 'seq' | 'cmd'> | { readonly type: 'inspect' };

/** A heap of gigabytes takes minutes, and the event loop stands still meanwhile. */
const HEAP_MS = 10 * 60_000;
/** Beyond its time: a busy loop comes to it late. */
const PATIENCE_MS = 60_000;
/** How long the end of a profile may take, of ten minutes and many functions. */
const STILL_MS = 10_000;
const OPEN_MS = 10_000;
/** Who has asked for a profile takes it at once. */
const SPARE_MS = 5 * 60_000;
/** Behind the name of the supervisor. */
const SPARE = /^\d+-\d+-\d+\.profile$/;

/** Of the clock of `performance.now()`. */
interface Stillness {
  readonly fromMs: number;
  readonly untilMs: number;
}

const ANY_TIME: Stillness = { fromMs: 0, untilMs: Number.POSITIVE_INFINITY };

interface Question {
  readonly worker: number;
  /** What becomes of its answer: at first who has asked is told, later only what it has left is put away. */
  take: (answer: Answer | string) => void;
}

export class Examinations {
  readonly #runtimeDir: string;
  readonly #name: string;
  readonly #waiting = new Map<number, Question>();
  /** When the event loop may stand still. */
  readonly #busy = new Map<number, Stillness>();
  /** Inspectors that nobody wants any more, until they are closed. */
  readonly #closing = new Map<number, Promise<unknown>>();
  /** Told when the worker has ended. */
  readonly #ends = new Map<number, () => void>();
  #asked = 0;

  /** @param runtimeDir only this user may enter it */
  constructor(runtimeDir: string, name: string) {
    this.#runtimeDir = runtimeDir;
    this.#name = name;
  }

  /** Whether its event loop may stand still for a while: it must not be taken for one that hangs. */
  isBusy(worker: number): boolean {
    const { fromMs, untilMs } = this.#busy.get(worker) ?? { fromMs: Number.POSITIVE_INFINITY, untilMs: 0 };
    const now = performance.now();
    return fromMs <= now && now < untilMs;
  }

  /** Removes what nobody has taken: a snapshot has every secret of the application in it. Never throws. */
  tidy(): void {
    try {
      const own = `.${this.#name}.`;
      const left = readdirSync(this.#runtimeDir).filter(
        (name) => name.startsWith(own) && SPARE.test(name.slice(own.length)),
      );
      for (const name of left) rmSync(path.join(this.#runtimeDir, name), { force: true });
    } catch {
      // Where the folder cannot be read nothing of it can be told either.
    }
  }

  /** @param gone aborted when who has asked has gone: it is given up then */
  async profile(
    handle: WorkerHandle,
    { what, forMs, file, id }: ProfileOptions,
    gone: AbortSignal,
  ): Promise<ControlResult> {
    const { worker } = handle.identity;
    const spare = path.join(this.#runtimeDir, `.${this.#name}.${process.pid}-${worker}-${Date.now()}.profile`);
    const isHeap = what === 'heap';
    const removeSpare = () => void rm(spare, { force: true }).catch(() => {});
    const now = performance.now();
    // But for the end of a profile the loop turns as ever, and one that hangs is found.
    const stillness = isHeap ? ANY_TIME : { fromMs: now + forMs, untilMs: now + forMs + STILL_MS };
    return this.#alone(worker, stillness, async () => {
      const order = { type: 'profile', what, forMs, file, id, spare } as const;
      const answer = await this.#ask(handle, order, isHeap ? HEAP_MS : forMs + PATIENCE_MS, {
        late: removeSpare,
        gone,
      });
      const reason = typeof answer === 'string' ? answer : 'aside' in answer && !answer.ok ? answer.detail : null;
      const aside = typeof answer === 'string' || ('aside' in answer && answer.aside);
      // What nobody can take, or has taken by then, is not to fill the folder.
      if (reason !== null) {
        removeSpare();
        // Who has been killed cannot take away the file that it has made.
        if (gone.aborted) await removeSame(file, id);
        return { ok: false, message: 'failed', reason };
      }
      if (aside) setTimeout(removeSpare, SPARE_MS).unref();
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
    const result = this.#alone(worker, ANY_TIME, async () => {
      handle.concealsInspector = true;
      const ended = new Promise<'ended'>((resolve) => this.#ends.set(worker, () => resolve('ended')));
      try {
        const answer = await this.#ask(handle, { type: 'inspect' }, OPEN_MS, { late: closeAgain });
        if (typeof answer === 'string') return { ok: false, message: 'failed', reason: answer };
        if (!('url' in answer) || !isInspectorUrl(answer.url)) {
          const detail = 'detail' in answer && answer.detail !== '' ? answer.detail : 'it has no inspector on loopback';
          return { ok: false, message: 'failed', reason: detail };
        }
        opened(answer.url);
        const left = new Promise<'left'>((resolve) => {
          const leave = () => {
            if (this.#ends.has(worker)) this.#closing.set(worker, result);
            resolve('left');
          };
          if (gone.aborted) leave();
          else gone.addEventListener('abort', leave, { once: true });
        });
        if ((await Promise.race([ended, left])) === 'ended') {
          return { ok: false, message: 'failed', reason: `worker ${worker} has ended` };
        }
        // One that its owner has opened is his.
        if (!answer.wasOpen) await endInspector(answer.url);
        return { ok: true, message: 'the inspector is closed', reason: null };
      } finally {
        this.#ends.delete(worker);
        this.#closing.delete(worker);
        handle.concealsInspector = false;
      }
    });
    return result;
  }

  answered(worker: number, answer: Answer): void {
    const question = this.#waiting.get(answer.seq);
    if (question?.worker !== worker) return;
    this.#waiting.delete(answer.seq);
    question.take(answer);
  }

  /** The worker has ended. */
  forget(worker: number): void {
    for (const [seq, question] of [...this.#waiting]) {
      if (question.worker !== worker) continue;
      this.#waiting.delete(seq);
      question.take(`worker ${worker} has ended`);
    }
    this.#ends.get(worker)?.();
  }

  async #alone(worker: number, stillness: Stillness, act: () => Promise<ControlResult>): Promise<ControlResult> {
    // Who has closed it asks for the next one at once.
    const closing = this.#closing.get(worker);
    if (closing !== undefined) await closing.catch(() => {});
    if (this.#busy.has(worker)) {
      const reason = `worker ${worker} is being profiled or inspected already`;
      return { ok: false, message: 'failed', reason };
    }
    this.#busy.set(worker, stillness);
    try {
      return await act();
    } finally {
      this.#busy.delete(worker);
    }
  }

  /**
   * @param late what is to be done where the answer comes when nobody waits for it any more, or where there is none
   * @returns its answer, or why there is none
   */
  #ask(
    handle: WorkerHandle,
    order: Order,
    timeMs: number,
    { late, gone }: { readonly late: (answer: Answer | string) => void; readonly gone?: AbortSignal },
  ): Promise<Answer | string> {
    const { worker } = handle.identity;
    if (handle.isProgram)
      return Promise.resolve(`worker ${worker} is not a Node process: use the tools of its own language`);
    if (!handle.connected || handle.plain)
      return Promise.resolve(`worker ${worker} cannot be asked: it has no channel`);
    this.#asked += 1;
    const seq = this.#asked;
    return new Promise((resolve) => {
      const settle = (answer: Answer | string) => {
        clearTimeout(timer);
        gone?.removeEventListener('abort', giveUp);
        question.take = late;
        resolve(answer);
      };
      const end = (reason: string) => {
        if (order.type === 'profile') void handle.send({ type: 'endProfile', seq });
        settle(reason);
      };
      const giveUp = () => end('nobody waits for it any more');
      const silence = `worker ${worker} does not answer: its event loop is blocked, or it stands at a breakpoint`;
      const timer = setTimeout(() => end(silence), timeMs);
      const question: Question = { worker, take: settle };
      this.#waiting.set(seq, question);
      void handle.send({ ...order, seq });
      if (gone?.aborted) giveUp();
      else gone?.addEventListener('abort', giveUp, { once: true });
    });
  }
}

/** Removes the file that is known by this id; what else lies there by now stays. Never throws. */
async function removeSame(file: string, id: string): Promise<void> {
  try {
    const { dev, ino } = await lstat(file, { bigint: true });
    if (`${dev} ${ino}` === id) await rm(file);
  } catch {
    // It has gone, or is in a part of the file system that is not seen from here.
  }
}

/** Of an inspector that has opened too late. */
function closeAgain(answer: Answer | string): void {
  if (typeof answer === 'string' || !('url' in answer) || answer.wasOpen || !isInspectorUrl(answer.url)) return;
  void endInspector(answer.url);
}
