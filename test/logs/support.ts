import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import type { Config } from '../../src/config/config.js';

export type LogConfig = Pick<Config, 'logLevel' | 'logFormat' | 'logFile' | 'name'>;

export const defaults: LogConfig = { name: 'app', logLevel: 'info', logFormat: 'json', logFile: null };

export const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/logs/${name}.js`, import.meta.url));

/** The environment without what the test runner put into it. */
export const plainEnv = { ...process.env, NODE_OPTIONS: '' };

export interface Pipe {
  /** The writing end, non-blocking. It belongs to the sink that is made of it. */
  readonly fd: number;
  /** Starts to read, line by line. Nothing is read before that. */
  lines(): AsyncIterableIterator<string>;
  /** Closes the reading end. */
  hangUp(): void;
}

/** A pipe of the kernel, with both its ends in this process. */
export function pipe(t: Test): Pipe {
  const path = `${t.testdir({})}/pipe`;
  execFileSync('mkfifo', [path]);
  const readFd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  let reader: Socket | undefined;
  let gone = false;
  const hangUp = () => {
    if (gone) return;
    gone = true;
    if (reader === undefined) closeSync(readFd);
    else reader.destroy();
  };
  t.teardown(hangUp);
  return {
    fd,
    lines() {
      reader = new Socket({ fd: readFd, readable: true, writable: false });
      return createInterface({ input: reader, crlfDelay: Number.POSITIVE_INFINITY })[Symbol.asyncIterator]();
    },
    hangUp,
  };
}

export async function take(lines: AsyncIterableIterator<string>, count: number): Promise<string[]> {
  const taken: string[] = [];
  while (taken.length < count) {
    const { value, done } = await lines.next();
    if (done) throw new Error(`the log ended after ${taken.length} of ${count} lines`);
    taken.push(value);
  }
  return taken;
}

/** Lets the event loop turn until the condition holds; the test's own time limit ends it otherwise. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
