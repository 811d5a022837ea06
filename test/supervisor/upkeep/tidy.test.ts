import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises';
import t from 'tap';
import type { Native } from '../../../src/native/libc.js';
import { tidySoon, tidyUp } from '../../../src/supervisor/upkeep/tidy.js';

t.test('what has become old is collected as well, on every version of Node', async (t) => {
  const held = { one: { text: 'old' } as object | null };
  const seen = new WeakRef(held.one as object);
  // Each collection makes it older: a small one looks at what is new alone.
  for (let i = 0; i < 3; i++) {
    tidyUp(null);
    await turn();
  }
  t.not(seen.deref(), undefined);
  held.one = null;
  await turn();
  tidyUp(null);
  await turn();
  t.equal(seen.deref(), undefined);
});

t.test('several that want it soon have it once, and not at once', async (t) => {
  let trims = 0;
  const native = { trimMemory: () => trims++ } as unknown as Native;
  const load = { ok: true, native } as const;
  // What it waits with keeps no process alive.
  const alive = setInterval(() => {}, 1_000);
  t.teardown(() => clearInterval(alive));
  tidySoon(load);
  tidySoon(load);
  await turn();
  t.equal(trims, 0);
  while (trims === 0) await wait(20);
  await wait(50);
  t.equal(trims, 1);
  tidySoon(load);
  while (trims < 2) await wait(20);
  t.equal(trims, 2);
});

t.test('whoever wants it again meanwhile puts it off', async (t) => {
  let trims = 0;
  const native = { trimMemory: () => trims++ } as unknown as Native;
  const load = { ok: true, native } as const;
  tidySoon(load);
  await wait(600);
  tidySoon(load);
  // However late they are, timers are told of in the order in which they are due: from the first call on it would have been before.
  await wait(900);
  t.equal(trims, 0);
  while (trims === 0) await wait(20);
});
