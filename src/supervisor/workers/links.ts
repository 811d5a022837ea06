/**
 * The channels over which draining workers hand their open connections to others: made here, and used without the supervisor.
 * Counts what the workers tell of it afterwards.
 */
import type { Log } from '../../logs/logger.js';
import type { HandoverTotals } from '../../protocol/status.js';
import type { AddressKey, WorkerMessage } from '../../protocol/worker.js';
import type { StreamPair } from '../../sockets/handles/stream-pair.js';
import type { WorkerIdentity } from './process/fork.js';
import type { WorkerHandle } from './process/handle.js';

export type OpenStreamPair = () => Promise<StreamPair>;
export type HandoverFigures = Omit<HandoverTotals, 'on'>;

/** How what a worker lacks begins, where it cannot hand connections over. */
export const HANDOVER_LACK = 'hand-over of connections';

/** A worker that does not read its messages must not hold up the drain of another one. */
const PATIENCE_MS = 1_000;

/** Of those that are kept apart for good; the workers' names for them may be many. */
const MOST_REASONS = 32;

export class Links {
  readonly #openStreamPair: OpenStreamPair;
  readonly #log: Log;
  /** Who gives and who takes, by the number of the link. */
  readonly #links = new Map<number, { readonly sender: WorkerHandle; readonly receiver: number }>();
  readonly #totals = { handed: 0, refused: 0, takenBack: 0, stayed: {} as Record<string, number> };
  #made = 0;
  /** Why a worker's Node cannot; null where none has said so. */
  lack: string | null = null;

  constructor(openStreamPair: OpenStreamPair, log: Log) {
    this.#openStreamPair = openStreamPair;
    this.#log = log;
  }

  /** Those of the program before an exec count as well. */
  goOnWith({ handed, refused, takenBack, stayed }: Omit<HandoverFigures, 'reason'>): void {
    Object.assign(this.#totals, { handed, refused, takenBack, stayed: { ...stayed } });
  }

  get figures(): HandoverFigures {
    return { ...this.#totals, reason: this.lack ?? 'plain HTTP/1.1 connections go to the successor of their worker' };
  }

  /**
   * Resolves once sender and recipients have been sent their ends, after a second at the latest. Never rejects.
   *
   * @returns to how many it is linked now
   */
  async connect(
    sender: WorkerHandle,
    recipients: readonly WorkerHandle[],
    addresses: readonly AddressKey[],
  ): Promise<number> {
    const made = await Promise.all(recipients.map((recipient) => this.#link(sender, recipient, addresses)));
    return made.filter(Boolean).length;
  }

  /** The worker has ended: whoever gave to it takes back what it had not taken. */
  gone(worker: number): void {
    for (const [link, { sender, receiver }] of this.#links) {
      if (receiver === worker) void sender.send({ type: 'link', link, role: 'cut', addresses: [] });
      if (receiver === worker || sender.identity.worker === worker) this.#links.delete(link);
    }
  }

  told(
    { worker, slot, generation }: WorkerIdentity,
    { handed, refused, takenBack, stayed }: Extract<WorkerMessage, { type: 'handedOver' }>,
  ): void {
    this.#totals.handed += handed;
    this.#totals.refused += refused;
    this.#totals.takenBack += takenBack;
    for (const [reason, count] of Object.entries(stayed)) {
      const isNew =
        !Object.hasOwn(this.#totals.stayed, reason) && Object.keys(this.#totals.stayed).length >= MOST_REASONS;
      const name = isNew ? 'other reasons' : reason;
      this.#totals.stayed[name] = (this.#totals.stayed[name] ?? 0) + count;
    }
    if (handed + refused + takenBack === 0 && Object.keys(stayed).length === 0) return;
    const counts = { handed, refused, takenBack, stayed };
    this.#log.logger.info({ worker, slot, generation, ...counts }, 'connections handed over');
  }

  async #link(sender: WorkerHandle, recipient: WorkerHandle, addresses: readonly AddressKey[]): Promise<boolean> {
    try {
      const [one, other] = await this.#openStreamPair();
      this.#made += 1;
      const link = this.#made;
      this.#links.set(link, { sender, receiver: recipient.identity.worker });
      const written = Promise.all([
        recipient.send({ type: 'link', link, role: 'take', addresses }, other),
        sender.send({ type: 'link', link, role: 'give', addresses }, one),
        sender.send({ type: 'link', link, role: 'back', addresses }, other),
      ]).then(() => {
        // The workers have their own duplicates now.
        one.close();
        other.close();
      });
      await withPatience(written);
      return true;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const { worker, slot, generation } = sender.identity;
      this.#log.logger.warn({ worker, slot, generation, reason }, 'cannot link workers');
      return false;
    }
  }
}

async function withPatience(written: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS);
  });
  await Promise.race([written, patience]);
  clearTimeout(timer);
}
