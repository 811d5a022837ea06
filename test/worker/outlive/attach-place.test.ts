/** An orphan hands its sockets only to who may have started it. */
import { chmodSync, chownSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import t, { type Test } from 'tap';
import { openPlace, socketMark } from '../../../dist/worker/outlive/attach-place.js';

const skip = process.platform === 'linux' ? false : 'workers outlive their supervisor on Linux only';

// Not t.testdir(): its paths are longer than the name of a unix socket may be.
function makeFolder(t: Test): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'hf-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function listenAt(t: Test, file: string): Promise<net.Server> {
  return new Promise((resolve) => {
    const server = net.createServer((socket) => socket.end('here'));
    server.listen(file, () => resolve(server));
    t.teardown(() => server.close());
  });
}

function heardAt(file: string): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    net
      .connect(file)
      .on('data', (data) => {
        text += data;
      })
      .on('error', ({ message }) => resolve(message))
      .on('close', () => resolve(text));
  });
}

t.test('a socket that has been left behind is told from the one that takes its place', { skip }, async (t) => {
  const folder = makeFolder(t);
  const file = path.join(folder, 'shop.attach');
  t.equal(socketMark({ path: file }), null);
  await listenAt(t, `${file}-1`);
  renameSync(`${file}-1`, file);
  const first = socketMark({ path: file });
  t.type(first, 'string');
  t.equal(socketMark({ path: file }), first);
  await listenAt(t, `${file}-2`);
  renameSync(`${file}-2`, file);
  t.not(socketMark({ path: file }), first);
});

t.test('it leads to who listens there, also once the folder has another name', { skip }, async (t) => {
  const folder = path.join(makeFolder(t), 'run');
  mkdirSync(folder, { mode: 0o700 });
  await listenAt(t, path.join(folder, 'shop.attach'));
  const place = openPlace(path.join(folder, 'shop.attach'));
  renameSync(folder, `${folder}-away`);
  t.teardown(() => place?.close());
  t.equal(await heardAt(place?.path ?? ''), 'here');
});

t.test('where others may write, or somebody else is the owner, nobody is looked for', { skip }, async (t) => {
  const folder = makeFolder(t);
  const file = path.join(folder, 'shop.attach');
  const own = openPlace(file);
  t.not(own, null);
  own?.close();
  for (const mode of [0o770, 0o707, 0o1777]) {
    chmodSync(folder, mode);
    t.equal(openPlace(file), null, mode.toString(8));
  }
  chmodSync(folder, 0o700);
  t.equal(openPlace(path.join(folder, 'missing/shop.attach')), null);
  if (process.getuid?.() === 0) {
    chownSync(folder, 65_534, 65_534);
    t.equal(openPlace(file), null, 'of another user');
  }
});
