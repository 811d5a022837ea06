/**
 * The key of TLS session tickets that all workers share. It is kept in memory only: neither log nor status nor environment
 * has it, and it goes with the supervisor.
 */
import { randomBytes } from 'node:crypto';

/** As Node's `server.setTicketKeys` wants it: name, HMAC key and AES key. */
const KEY_BYTES = 48;
/** Whoever learns a key can read what was said over sessions resumed by it: it is not used for longer than this. */
const LIFETIME_MS = 12 * 3_600_000;

export class TicketKey {
  #key = newKey();
  readonly #timer: NodeJS.Timeout;

  /** @param onRenewed called with each key but the first */
  constructor(onRenewed: (key: string) => void, lifetimeMs = LIFETIME_MS) {
    this.#timer = setInterval(() => {
      this.#key = newKey();
      onRenewed(this.#key);
    }, lifetimeMs);
    this.#timer.unref();
  }

  /** In base64. */
  get current(): string {
    return this.#key;
  }

  close(): void {
    clearInterval(this.#timer);
  }
}

function newKey(): string {
  return randomBytes(KEY_BYTES).toString('base64');
}
