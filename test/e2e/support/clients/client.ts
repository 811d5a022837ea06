/** What all clients of test/fixtures/apps/connections.cjs have in common: they go on until they are stopped, and count. */

export abstract class Client {
  readonly name: string;
  readonly errors: Record<string, number> = {};
  /** Whole conversations that went well. */
  done = 0;
  protected running = true;
  /** One conversation that takes longer is an error. */
  protected readonly limitMs: number = 45_000;
  /** Cut off when the client is stopped, since their conversations have no end of their own. */
  protected readonly endless = new Set<{ destroy(): unknown }>();
  #ended: Promise<unknown> = Promise.resolve();

  constructor(name: string) {
    this.name = name;
  }

  /** @param count how many of them at once */
  start(count = 1): this {
    this.#ended = Promise.all(Array.from({ length: count }, () => this.#loop()));
    return this;
  }

  /** Lets each conversation come to its end. @throws Error naming the client that does not come to one within 10 s */
  async stop(): Promise<void> {
    this.running = false;
    for (const socket of this.endless) socket.destroy();
    await within(10_000, this.#ended, `${this.name}: the last conversation`);
  }

  /** One conversation; what it throws is an error of that name. Nothing is tried again. */
  protected abstract converse(): Promise<void>;

  protected fail(error: unknown): void {
    const kind = error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? error.message) : String(error);
    this.errors[kind] = (this.errors[kind] ?? 0) + 1;
  }

  async #loop(): Promise<void> {
    while (this.running) {
      try {
        await within(this.limitMs, this.converse(), 'an answer');
        this.done += 1;
      } catch (error) {
        this.fail(error);
      }
    }
  }
}

/** A client of one port on loopback. */
export abstract class PortClient extends Client {
  protected readonly port: number;

  constructor(name: string, port: number) {
    super(name);
    this.port = port;
  }
}

/** @throws Error when the promise has not settled after `ms` milliseconds */
export async function within<T>(ms: number, promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no end of ${what} within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
