/**
 * What a worker says while no supervisor hears it. Of what the application says only `ready` is heard, and what the preload says
 * is told anew: it counts as sent. What node:cluster asks waits, and so do questions that have no answer yet.
 */
import type { SendCallback } from '../node/relink.js';

export const CMD = 'NODE_HOLDFAST';
/** What node:cluster asks for, until there is somebody to ask. */
const MOST_QUEUED = 64;

export interface Message {
  readonly cmd?: unknown;
  readonly type?: unknown;
  readonly seq?: unknown;
}
export type Sent = readonly [message: unknown, handle: unknown, options: unknown, callback: SendCallback | undefined];

export class Unheard {
  /** Questions that have no answer yet, by their number: they are asked again. */
  readonly #asked = new Map<unknown, unknown>();
  #queue: Sent[] = [];
  saidReady = false;

  /** Of everything that is sent. */
  note(message: Message | 'ready'): void {
    if (message === 'ready') this.saidReady = true;
    else if (message?.cmd !== CMD) return;
    else if (message.type === 'listen' || message.type === 'share') this.#asked.set(message.seq, message);
  }

  answered(seq: unknown): void {
    this.#asked.delete(seq);
  }

  /** @param isAttaching what has happened since the next one was told how things are waits as well */
  keep(sent: Sent, isAttaching: boolean): void {
    const [message, , , callback] = sent;
    if (isOfCluster(message) || (isAttaching && isNews(message))) {
      this.#queue.push(sent);
      this.#queue = this.#queue.slice(-MOST_QUEUED);
    } else if (callback !== undefined) process.nextTick(callback, null);
  }

  /** The next one is about to be told how things are: that has all but what node:cluster asks. */
  told(): void {
    this.#queue = this.#queue.filter(([message]) => isOfCluster(message));
  }

  /** Somebody hears it again. */
  sendAgain(send: (...sent: Sent) => unknown): void {
    for (const question of this.#asked.values()) send(question, undefined, undefined, () => {});
    for (const sent of this.#queue.splice(0)) send(...sent);
  }
}

function isOfCluster(message: unknown): boolean {
  return (message as Message | null)?.cmd === 'NODE_CLUSTER';
}

/** What the preload tells. Its questions are kept by themselves. */
function isNews(message: unknown): boolean {
  const { cmd, type } = Object(message) as Message;
  return message === 'ready' || (cmd === CMD && type !== 'listen' && type !== 'share');
}
