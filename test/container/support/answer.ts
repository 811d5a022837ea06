import { setTimeout as delay } from 'node:timers/promises';
import type { Container } from './image.js';

/** What a container answers, in JSON; waits until it does. */
export async function answerOf(port: number, container: Container): Promise<unknown> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    try {
      return await (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })).json();
    } catch (error) {
      if (Date.now() > deadline) throw new Error(`no answer:\n${container.output}`, { cause: error });
      await delay(100);
    }
  }
}
