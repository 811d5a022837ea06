/** Cases of a hand-over: two workers each, played some at a time. */
import tap, { type Test } from 'tap';
import { type Setup, Succession } from './pair.js';

/** Long enough that all of a case happens while the connection is on its way, and shorter than the sender's patience. */
export const ON_ITS_WAY_MS = 400;

export interface Case extends Setup {
  readonly name: string;
  readonly run: (t: Test, s: Succession) => Promise<void>;
}

export function play(cases: readonly Case[]): void {
  tap.jobs = 2;
  for (const { name, run, ...setup } of cases) {
    tap.test(name, { buffered: true }, async (t) => run(t, await Succession.start(t, setup)));
  }
}

export function request(body: string, path = '/echo'): string {
  return `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

/** The old worker has begun with so many requests. */
export async function asked({ old }: Succession, count: number): Promise<void> {
  while ((await old.report()).requests < count);
}

export async function connected({ old }: Succession, count: number): Promise<void> {
  while ((await old.report()).connections < count);
}

/** The new worker has noticed that its client is gone. */
export async function gone({ fresh }: Succession): Promise<void> {
  for (;;) {
    const { open, connections } = await fresh.report();
    if (connections > 0 && open === 0) return;
  }
}
