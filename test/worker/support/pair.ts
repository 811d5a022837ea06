/** Two workers of a test: an old one with clients, and the one that is to take them over. Ended by PID in teardown. */
import { type ChildProcess, fork } from 'node:child_process';
import net from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { loadNative } from '../../../src/native/libc.js';
import { makeStreamPair } from '../../../src/sockets/handles/stream-pair.js';
import { RawClient } from './raw-client.js';

const FIXTURE = fileURLToPath(new URL('../../fixtures/handover/worker.cjs', import.meta.url));

export interface Report {
  readonly requests: number;
  readonly connections: number;
  readonly closed: number;
  readonly bad: number;
  readonly open: number;
  readonly fds: number;
  readonly told: readonly { readonly type: string; readonly [field: string]: unknown }[];
}

export class TestWorker {
  readonly child: ChildProcess;
  port = 0;
  readonly told: { readonly type: string; readonly [field: string]: unknown }[] = [];
  #watchers = new Set<() => void>();

  private constructor(child: ChildProcess) {
    this.child = child;
    child.on('message', (message: { told?: { type: string } }) => {
      if (message.told !== undefined) this.told.push(message.told);
      for (const look of this.#watchers) look();
    });
  }

  static async start(t: Test, env: Record<string, string> = {}): Promise<TestWorker> {
    // Without what the test runner puts into the environment of every child.
    const child = fork(FIXTURE, [], { env: { PATH: process.env.PATH ?? '', ...env }, execArgv: [] });
    t.teardown(() => child.kill('SIGKILL'));
    const worker = new TestWorker(child);
    worker.port = await worker.#answer<{ port?: number }, number>(({ port }) => port);
    return worker;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  command(message: object, handle?: unknown): Promise<void> {
    return new Promise((resolve) => {
      this.child.send(message, handle as never, () => resolve());
    });
  }

  async report(): Promise<Report> {
    const answer = this.#answer<{ report?: Report }, Report>(({ report }) => report);
    await this.command({ do: 'report' });
    return answer;
  }

  get lacks(): string[] {
    return this.told.flatMap(({ type, missing }) => (type === 'able' ? String(missing) : []));
  }

  /** Resolves once it has told the supervisor that. */
  async tells(type: string): Promise<{ readonly [field: string]: unknown }> {
    for (;;) {
      const found = this.told.find((message) => message.type === type);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        const look = () => {
          this.#watchers.delete(look);
          resolve();
        };
        this.#watchers.add(look);
      });
    }
  }

  #answer<M, T>(find: (message: M) => T | undefined): Promise<T> {
    return new Promise((resolve) => {
      const look = (message: M) => {
        const found = find(message);
        if (found === undefined) return;
        this.child.off('message', look);
        resolve(found);
      };
      this.child.on('message', look);
    });
  }
}

let links = 0;

/** As the supervisor does it, with libc where there is no folder. @returns the number of the link */
export async function link(sender: TestWorker, receiver: TestWorker, folder?: string): Promise<number> {
  const { id, giveBack } = await linkWithoutBack(sender, receiver, folder);
  await giveBack();
  return id;
}

/** The same, up to the sender's hold on the other end, which comes by a message of its own. */
export async function linkWithoutBack(sender: TestWorker, receiver: TestWorker, folder?: string) {
  const [one, other] = await (folder === undefined
    ? makeStreamPair(loadNative(), '/nowhere')
    : makeStreamPair({ ok: false, reason: 'koffi is not installed' }, folder));
  links += 1;
  const id = links;
  const order = { do: 'link', link: id, addresses: ['web'] };
  await receiver.command({ ...order, role: 'take' }, other);
  await sender.command({ ...order, role: 'give' }, one);
  one.close();
  const drop = () => other.close();
  const giveBack = async () => {
    await sender.command({ ...order, role: 'back' }, other);
    drop();
  };
  return { id, giveBack, drop };
}

/** A link whose other end is the test's own; the worker's end as well for as long as the test lasts, as a sender has it. */
export async function linkToTest(t: Test, worker: TestWorker, role: 'give' | 'take'): Promise<net.Socket> {
  const [one, other] = await makeStreamPair(loadNative(), '/nowhere');
  links += 1;
  await worker.command({ do: 'link', link: links, addresses: ['web'], role }, one);
  if (role === 'give') one.close();
  else t.teardown(() => one.close());
  const end = new net.Socket({ handle: other } as net.SocketConstructorOpts);
  t.teardown(() => end.destroy());
  return end.on('error', () => {});
}

/** A link to a worker that has ended before its other end is used. */
export async function linkToNobody(worker: TestWorker, role: 'take' | 'give'): Promise<void> {
  const [gone, end] = await makeStreamPair(loadNative(), '/nowhere');
  gone.close();
  links += 1;
  await worker.command({ do: 'link', link: links, addresses: ['web'], role }, end);
  end.close();
  await worker.report();
}

export interface Setup {
  /** Of both workers, and of the new one alone. */
  readonly env?: Record<string, string>;
  readonly freshEnv?: Record<string, string>;
}

export class Succession {
  readonly old: TestWorker;
  readonly fresh: TestWorker;
  readonly #t: Test;
  #link = 0;

  private constructor(t: Test, old: TestWorker, fresh: TestWorker) {
    this.#t = t;
    this.old = old;
    this.fresh = fresh;
  }

  static async start(t: Test, { env = {}, freshEnv = {} }: Setup = {}): Promise<Succession> {
    const [old, fresh] = await Promise.all([TestWorker.start(t, env), TestWorker.start(t, { ...env, ...freshEnv })]);
    return new Succession(t, old, fresh);
  }

  async client(): Promise<RawClient> {
    const client = await RawClient.open(this.old.port);
    this.#t.teardown(() => client.socket.destroy());
    return client;
  }

  /** One that has had an answer, and rests. */
  async kept(): Promise<RawClient> {
    const client = await this.client();
    client.post();
    await client.answer();
    return client;
  }

  /** The old worker drains; both know each other. Without libc where there is a folder for the socket. */
  async drain(order: object = {}, folder?: string): Promise<void> {
    this.#link = await link(this.old, this.fresh, folder);
    await this.old.command({ do: 'drain', order });
  }

  /** The same, once they know each other: what cannot be given is known at the first answer. */
  async drainOnceOpen(): Promise<void> {
    await this.#open();
    await this.old.command({ do: 'drain' });
  }

  /**
   * The same, with a new worker whose event loop is blocked from the moment at which it has said hello: whatever is handed over
   * in that time is on its way.
   */
  async drainInto(blockMs: number): Promise<void> {
    await this.#open();
    await this.fresh.command({ do: 'block', ms: blockMs });
    await this.fresh.tells('blocking');
    await this.old.command({ do: 'drain' });
    await this.old.report();
  }

  /** The same, with a new worker that is stopped (SIGSTOP) once it has said hello. */
  async drainIntoStopped(): Promise<void> {
    await this.#open();
    process.kill(this.fresh.pid, 'SIGSTOP');
    await this.old.command({ do: 'drain' });
    await this.old.report();
  }

  /** They answer in the order in which they are asked: the link is open at both ends then. */
  async #open(): Promise<void> {
    this.#link = await link(this.old, this.fresh);
    await this.fresh.report();
    await this.old.report();
  }

  /** As the supervisor does when the recipient has ended. */
  cut(): Promise<void> {
    return this.old.command({ do: 'link', link: this.#link, role: 'cut', addresses: [] });
  }

  who({ pid }: { pid: number }): string {
    return pid === this.old.pid ? 'old' : pid === this.fresh.pid ? 'new' : `neither: ${pid}`;
  }
}
