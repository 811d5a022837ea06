/**
 * The key of TLS session tickets that all workers share. It is kept in memory only: neither log nor status nor environment
 * has it, and it goes with the supervisor.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { createRequire } from 'node:module';

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
  return randomKey().toString('base64');
}

/** Of the kernel's generator, as in random(4): node:crypto costs a start more time, and megabytes, than all the rest of it. */
export function randomKey(device = '/dev/urandom'): Buffer {
  const key = Buffer.alloc(KEY_BYTES);
  let fd: number | undefined;
  try {
    fd = openSync(device, 'r');
    if (readSync(fd, key, 0, KEY_BYTES, null) === KEY_BYTES) return key;
  } catch {
    // A system, or a container, that has none.
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
  const { randomBytes } = createRequire(import.meta.url)('node:crypto') as typeof import('node:crypto');
  return randomBytes(KEY_BYTES);
}
