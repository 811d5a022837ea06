/** A supervisor that is killed and started again, and its workers. */
import path from 'node:path';
import type { Test } from 'tap';
import { freePort } from '../../support/ports.js';
import { ask } from './ask.js';
import { apps, Holdfast, makeRuntimeDir } from './holdfast.js';
import { endWith } from './processes.js';

export const survivor = path.join(apps, 'survivor.cjs');

export interface Survivor {
  readonly pid: number;
  readonly slot: number;
  readonly generation: number;
  readonly connected: boolean;
  readonly disconnects: number;
}

interface Shop {
  readonly runtimeDir: string;
  readonly port: number;
  /** Started anew each time; the name stays. */
  start(...args: string[]): Holdfast;
}

export async function openShop(t: Test, env: Readonly<Record<string, string>> = {}): Promise<Shop> {
  const runtimeDir = makeRuntimeDir(t);
  const port = await freePort();
  return {
    runtimeDir,
    port,
    start: (...args) =>
      new Holdfast(t, survivor, {
        runtimeDir,
        args: ['--name', 'shop', '-i', '2', ...args],
        env: { PORT: String(port), HOLDFAST_ORPHAN_TIMEOUT: '1m', ...env },
      }),
  };
}

/** PIDs of its workers, which end with the test whatever becomes of it. */
export async function workersOf(t: Test, holdfast: Holdfast): Promise<number[]> {
  const pids = (await holdfast.status()).workers.map(({ pid }) => pid ?? 0);
  endWith(t, ...pids);
  return pids.sort((a, b) => a - b);
}

export async function kill(holdfast: Holdfast): Promise<void> {
  holdfast.child.kill('SIGKILL');
  await holdfast.closed;
}

export const asked = async (shop: Shop, where = '/') => (await ask(shop.port, where)) as Survivor;
