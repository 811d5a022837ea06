/** gRPC clients without retries (test/fixtures/clients/grpc.cjs). */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import type { Test } from 'tap';
import { plainly, root } from '../holdfast.js';
import { within } from './client.js';

const PROGRAM = path.join(root, 'test/fixtures/clients/grpc.cjs');

export interface GrpcFigures {
  readonly calls: number;
  /** By the id that each call carries. */
  readonly failed: readonly { readonly id: string; readonly why: string }[];
}

/** It makes so many unary calls at once over one connection, and one that streams. */
export interface GrpcClient {
  readonly port: number;
  readonly atOnce: number;
}

export class GrpcCalls {
  readonly #child: ChildProcess;
  readonly #output: Promise<string>;

  constructor(t: Test, clients: readonly GrpcClient[]) {
    const args = clients.map(({ port, atOnce }) => `${port}:${atOnce}`);
    this.#child = spawn(...plainly([PROGRAM, ...args]), { stdio: ['pipe', 'pipe', 'inherit'] });
    const { stdout } = this.#child;
    if (stdout === null) throw new Error('no output stream');
    this.#output = text(stdout);
    const closed = once(this.#child, 'close');
    t.teardown(async () => {
      this.#child.kill('SIGKILL');
      await closed;
    });
  }

  /** Lets every call come to its end. */
  async stop(): Promise<GrpcFigures> {
    this.#child.stdin?.end();
    return JSON.parse(await within(20_000, this.#output, 'the last calls')) as GrpcFigures;
  }
}
