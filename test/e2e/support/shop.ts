/** An application with metrics of its own and an admin address, and somebody who asks it all the time. */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import { freePort } from '../../support/ports.js';
import { ask } from './ask.js';
import { apps, Holdfast } from './holdfast.js';

/** As fast as it can, asking would take a whole processor. */
const PAUSE_MS = 25;

export interface Shop {
  readonly holdfast: Holdfast;
  readonly port: number;
  readonly admin: number;
  /** How many requests were answered; nothing is asked any more. */
  readonly stopLoad: () => Promise<number>;
}

export async function startShop(
  t: Test,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Shop> {
  const [port, admin] = [await freePort(), await freePort()];
  const holdfast = new Holdfast(t, path.join(apps, 'metrics.cjs'), {
    args: ['--admin', String(admin), ...args],
    env: { ...env, PORT: String(port) },
  });
  await holdfast.message('started');
  let asking = true;
  let asked = 0;
  const load = (async () => {
    // Over one connection that is kept, and over ones of their own, so that every worker gets some.
    for (let i = 0; asking; i++) {
      const url = i % 50 === 0 ? '/bad' : '/a';
      const answer =
        i % 2 === 0 ? ask(port, url) : fetch(`http://127.0.0.1:${port}${url}`).then((response) => response.text());
      // A crash costs the request that was in it.
      const isAnswered = await answer.then(
        () => true,
        () => false,
      );
      if (isAnswered) asked += 1;
      await sleep(PAUSE_MS);
    }
  })();
  const stopLoad = async () => {
    asking = false;
    await load;
    return asked;
  };
  t.teardown(stopLoad);
  return { holdfast, port, admin, stopLoad };
}
