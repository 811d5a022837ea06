import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import t, { type Test } from 'tap';
import { comesBack, giveAMoment } from '../../../src/cli/gone/coming-back.js';
import { holdfast } from '../support/command-line.js';

/** A folder with the control socket of a supervisor that was killed. */
async function left(t: Test, name: string): Promise<string> {
  // Not t.testdir(): its paths are longer than the name of a unix socket may be.
  const dir = mkdtempSync(path.join(os.tmpdir(), 'hf-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const program = 'require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))';
  await once(spawn(process.execPath, ['-e', program, path.join(dir, `${name}.sock`)], { stdio: 'ignore' }), 'exit');
  return dir;
}

/** Another one takes the place. */
async function takePlace(t: Test, file: string): Promise<void> {
  const server = net.createServer((socket) => socket.destroy());
  server.listen(`${file}.new`);
  await once(server, 'listening');
  renameSync(`${file}.new`, file);
  t.teardown(() => server.close());
}

t.test('who waits for a supervisor hears of the next one, or that nobody waits any more', async (t) => {
  const file = path.join(await left(t, 'shop'), 'shop.sock');
  const stop = new AbortController();
  const waiting = comesBack(file, stop.signal);
  const given = comesBack(file, AbortSignal.timeout(120));
  t.equal(await given, false);
  await takePlace(t, file);
  t.equal(await waiting, true);
  stop.abort();
  t.equal(await comesBack(file, stop.signal), false);
});

t.test('an answer is put off only where somebody may come back', async (t) => {
  const dir = await left(t, 'shop');
  const began = performance.now();
  await giveAMoment(dir, ['other']);
  t.ok(performance.now() - began < 1_400, 'there is nothing of that name');
  const waiting = Promise.all([giveAMoment(dir, ['shop']), giveAMoment(dir, ['all'])]);
  await takePlace(t, path.join(dir, 'shop.sock'));
  await waiting;
});

t.test('status of one that does not come back ends as ever', async (t) => {
  const runtimeDir = await left(t, 'shop');
  t.match(await holdfast(['status', '--name', 'shop'], { runtimeDir }), { code: 3, stderr: /no such supervisor runs/ });
});
