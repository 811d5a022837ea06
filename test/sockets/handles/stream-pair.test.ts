import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import t, { type Test } from 'tap';
import { loadNative, type NativeLoad } from '../../../src/native/libc.js';
import { makeStreamPair, type StreamEnd } from '../../../src/sockets/handles/stream-pair.js';

const WITHOUT_LIBC: NativeLoad = { ok: false, reason: 'koffi is not installed' };

function folder(t: Test): string {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'hf-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

function stream(t: Test, handle: StreamEnd): net.Socket {
  const socket = new net.Socket({ handle } as net.SocketConstructorOpts);
  t.teardown(() => socket.destroy());
  return socket;
}

for (const [how, native] of [
  ['by socketpair(2)', loadNative()],
  ['by a socket in the runtime folder', WITHOUT_LIBC],
] as const) {
  t.test(`${how}: what is written to one end is read from the other, and nothing is left in the folder`, async (t) => {
    const dir = folder(t);
    const pairs = await Promise.all([makeStreamPair(native, dir), makeStreamPair(native, dir)]);
    for (const [i, [one, other]] of pairs.entries()) {
      const [ours, theirs] = [stream(t, one), stream(t, other)];
      // Each pair is one of its own, though they were made at the same time.
      ours.write(`to ${i}`);
      theirs.write(`from ${i}`);
      theirs.resume();
      ours.resume();
      const [[there], [here]] = await Promise.all([once(theirs, 'data'), once(ours, 'data')]);
      t.same([String(there), String(here)], [`to ${i}`, `from ${i}`]);
      ours.destroy();
      await once(theirs, 'close');
    }
    t.same(readdirSync(dir), []);
  });
}

t.test('a folder that cannot be written to is an error, not a crash', async (t) => {
  await t.rejects(makeStreamPair(WITHOUT_LIBC, path.join(folder(t), 'none')), { code: /ENOENT|EACCES/ });
});
