/** What follows a supervisor goes on with the next one of its name. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import t from 'tap';
import { freePort } from '../support/ports.js';
import { ask } from './support/ask.js';
import { apps, bin, Holdfast, type LogLine, makeRuntimeDir, plainly, root } from './support/holdfast.js';
import { endWith } from './support/processes.js';

t.test('logs -f goes on after the supervisor was killed, and ends with one that is stopped', async (t) => {
  const runtimeDir = makeRuntimeDir(t);
  const port = await freePort();
  const start = () =>
    new Holdfast(t, path.join(apps, 'chatty.cjs'), {
      ...{ runtimeDir, args: ['--name', 'shop', '--bind-timeout', '20s'], env: { PORT: String(port) } },
    });
  const first = start();
  await first.message('started');
  const [command, words] = plainly([bin, 'logs', 'shop', '-f', '--json'], { HOLDFAST_RUNTIME_DIR: runtimeDir });
  const child = spawn(command, words, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  endWith(t, child.pid ?? 0);
  const closed = once(child, 'close');
  let stdout = '';
  let stderr = '';
  let heard = (): void => {};
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    heard();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    heard();
  });
  const until = (isSo: () => boolean) =>
    new Promise<void>((resolve) => {
      heard = () => isSo() && resolve();
      heard();
    });
  await until(() => stdout.includes('"started"'));
  await ask(port, '/say?text=before');
  await until(() => stdout.includes('"before"'));

  const other = spawn(command, words, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  // It follows once it has shown something.
  await once(
    other.stdout.on('data', () => {}),
    'data',
  );
  endWith(t, other.pid ?? 0);
  other.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (text.includes('waiting for it')) other.kill('SIGINT');
  });
  const left = once(other, 'exit');

  let last = first;
  for (const round of [1, 2]) {
    last.child.kill('SIGKILL');
    await last.closed;
    await until(() => stderr.split('shop: the supervisor is gone; waiting for it\n').length === round + 1);
    if (round === 1) t.same(await left, [0, null], 'Ctrl-C ends the waiting at once');
    last = start();
    await last.message('started');
    await until(() => stderr.split('shop: the supervisor is back\n').length === round + 1);
    await ask(port, `/say?text=round-${round}`);
    await until(() => stdout.includes(`"round-${round}"`));
  }
  t.equal((await last.run('stop')).code, 0);
  t.same(await closed, [0, null]);
  t.match(stderr, /shop: the supervisor has ended\n$/);
  const shown = stdout.trimEnd().split('\n');
  for (const line of shown) t.type((JSON.parse(line) as LogLine).msg, 'string');
  t.equal(new Set(shown).size, shown.length, 'no line has come twice');
  const known = last.log.map((line) => JSON.stringify(line)).filter((line) => !line.includes('"supervisor stopped"'));
  t.same(
    known.filter((line) => !shown.includes(line)),
    [],
    'none of the last supervisor is missing',
  );
});
