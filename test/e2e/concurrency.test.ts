import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { freePort } from '../support/ports.js';
import { ask } from './support/ask.js';
import { apps, Holdfast, root } from './support/holdfast.js';
import { Load } from './support/load.js';
import { listeners } from './support/tcp-state.js';

const busy = path.join(apps, 'busy.cjs');
const idle = { BUSY_MS: '0' };

t.test('two reloads at once both end well, and the newest generation serves', async (t) => {
  const holdfast = new Holdfast(t, busy, { args: ['-i', '2'], env: idle });
  const load = new Load({ port: await holdfast.port(), fresh: 4, keepAlive: 4 });
  t.teardown(() => load.stop());
  const outcomes = await Promise.all([holdfast.run('reload'), holdfast.run('reload')]);
  await load.stop();
  t.same(
    outcomes.map(({ code }) => code),
    [0, 0],
  );
  t.same(load.errors, {});
  const status = await holdfast.settled();
  t.same(new Set(status.workers.map((worker) => worker.generation)), new Set([status.generation]));
  t.ok(status.generation > 1, 'the second is spared the way over the first, where that had not begun');
  t.equal(status.workers.length, 2);
});

t.test('a reload during a scale ends well', async (t) => {
  const holdfast = new Holdfast(t, busy, { args: ['-i', '2'], env: idle });
  const load = new Load({ port: await holdfast.port(), fresh: 4, keepAlive: 4 });
  t.teardown(() => load.stop());
  const outcomes = await Promise.all([
    holdfast.run('scale', '4'),
    holdfast.run('reload'),
    holdfast.message('scaling').then(() => holdfast.run('scale', '-1')),
  ]);
  await load.stop();
  const [first, ...others] = outcomes;
  t.same(
    others.map(({ code }) => code),
    [0, 0],
  );
  // Done before the second one came, or told that it was overtaken.
  if (first?.code !== 0) t.match(first?.stderr, /the size has been changed to 3 since/);
  t.same(load.errors, {});
  const status = await holdfast.settled();
  t.equal(status.size, 3);
  t.same(
    status.workers.map((worker) => [worker.state, worker.generation]),
    Array(3).fill(['ready', 2]),
  );
});

t.test('a stop during a reload ends everything, and says so to who asked for the reload', async (t) => {
  const holdfast = new Holdfast(t, busy, { args: ['-i', '2'], env: idle });
  await holdfast.message('started');
  const at = holdfast.log.length;
  const reload = holdfast.run('reload');
  await holdfast.message('rollout started', at);
  holdfast.child.kill('SIGTERM');
  const { code, stdout, stderr } = await reload;
  t.equal(code, 1);
  t.match(stdout + stderr, /stopping/);
  t.equal(await holdfast.closed, 0);
  for (const line of holdfast.lines('worker started')) t.throws(() => process.kill(Number(line.pid), 0));
});

t.test('a worker that is killed while it drains does not disturb the rollout', async (t) => {
  const port = await freePort();
  const holdfast = new Holdfast(t, path.join(apps, 'moody.cjs'), { args: ['-i', '2'], env: { PORT: String(port) } });
  await holdfast.message('started');
  // Held open, so that the drain lasts.
  const held = ask(port, '/slow').then(
    () => 'answered',
    () => 'cut off',
  );
  await holdfast.line(() => true);
  const busySlot = async () => (await holdfast.status()).workers.find((worker) => worker.connections === 1);
  let worker = await busySlot();
  while (worker === undefined) worker = await busySlot();
  const reload = holdfast.run('reload');
  await holdfast.line(({ msg, worker: id }) => msg === 'worker draining' && id === worker.id);
  process.kill(worker.pid ?? 0, 'SIGKILL');
  t.equal((await reload).code, 0);
  t.equal(await held, 'cut off');
  t.equal((await holdfast.status()).rollout.state, 'done');
});

t.test('scaling up and down under load loses nothing', async (t) => {
  for (const mode of ['reuseport', 'reuseaddr']) {
    const holdfast = new Holdfast(t, busy, { args: ['-i', '4', '--listen-mode', mode], env: { BUSY_MS: '3' } });
    const load = new Load({ port: await holdfast.port(), fresh: 16, keepAlive: 16 });
    for (const size of ['2', '4', '1', '+2']) t.equal((await holdfast.scale(size)).code, 0, `to ${size}`);
    await load.stop();
    t.same(load.errors, {}, `${mode}: ${load.answers.length} requests`);
    t.equal((await holdfast.status()).size, 3);
    t.equal((await holdfast.stop()).code, 0);
  }
});

t.test('signals: HUP reloads, TTIN and TTOU change the size, a second TERM is at once', async (t) => {
  const port = await freePort();
  const holdfast = new Holdfast(t, path.join(apps, 'moody.cjs'), {
    args: ['-i', '1', '--kill-timeout', '5m'],
    env: { PORT: String(port), MOOD: 'stubborn' },
  });
  await holdfast.message('started');
  holdfast.child.kill('SIGTTIN');
  await holdfast.line(({ msg, slot }) => msg === 'worker ready' && slot === 1);
  let at = holdfast.log.length;
  holdfast.child.kill('SIGTTOU');
  await holdfast.line(({ msg, slot }) => msg === 'worker draining' && slot === 1, at);
  at = holdfast.log.length;
  holdfast.child.kill('SIGHUP');
  await holdfast.line(({ msg, generation }) => msg === 'worker ready' && generation === 2, at);
  const begun = Date.now();
  holdfast.child.kill('SIGTERM');
  await holdfast.message('stopping');
  holdfast.child.kill('SIGTERM');
  t.equal(await holdfast.closed, 0);
  t.ok(Date.now() - begun < 60_000, 'the workers ignore SIGTERM, and the kill timeout was not waited for');
});

t.test('workers have a session of their own: Ctrl-C in the terminal reaches the supervisor alone', async (t) => {
  const holdfast = new Holdfast(t, busy, { args: ['-i', '1'], env: idle });
  await holdfast.message('started');
  const [worker] = (await holdfast.status()).workers;
  const sessionOf = (pid: number) => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[3];
  t.equal(sessionOf(worker?.pid ?? 0), String(worker?.pid));
  t.not(sessionOf(holdfast.pid), String(worker?.pid));
});

t.test('32 workers work', async (t) => {
  const holdfast = new Holdfast(t, path.join(root, 'examples/hello/server.js'), {
    args: ['-i', '32'],
    env: { PORT: String(await freePort()) },
  });
  const port = await holdfast.port();
  const status = await holdfast.status();
  t.equal(status.workers.filter((worker) => worker.state === 'ready').length, 32);
  const slots = new Set<string>();
  for (let i = 0; i < 400; i++) slots.add(((await ask(port)) as { slot: string }).slot);
  t.ok(slots.size > 16, `${slots.size} of the 32 workers answered`);
  t.equal((await holdfast.reload()).code, 0);
  t.equal((await holdfast.stop()).code, 0);
});

t.test('100 reloads leave nothing behind in the supervisor', async (t) => {
  const holdfast = new Holdfast(t, busy, { args: ['-i', '2'], env: idle });
  const port = await holdfast.port();
  const rss = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${holdfast.pid}/status`, 'utf8'))?.[1]);
  const reload = async () => {
    const at = holdfast.log.length;
    holdfast.child.kill('SIGHUP');
    await holdfast.message('rollout done', at);
  };
  /** Memory is given back once the last old worker has gone, which may be after a look: so the least of ten looks. */
  const tenReloads = async () => {
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 10; i++) {
      await reload();
      least = Math.min(least, rss());
    }
    return { files: openFiles(holdfast.pid), sockets: listeners(port), rss: least };
  };
  // In the first ones code is still read in and compiled.
  for (let i = 0; i < 40; i++) await reload();
  const after50 = await tenReloads();
  for (let i = 0; i < 40; i++) await reload();
  const after100 = await tenReloads();
  t.equal(after100.files, after50.files, `${after50.files} open files`);
  t.equal(after100.sockets, after50.sockets, `${after50.sockets} listening sockets`);
  t.ok(after100.rss <= after50.rss * 1.1, `${after50.rss} kB after 50 reloads, ${after100.rss} kB after 100`);
});

/** Without those by which CPU time is read, which stay open for a minute after the last status: 100 reloads may take longer. */
function openFiles(pid: number): number {
  const dir = `/proc/${pid}/fd`;
  return readdirSync(dir).filter((fd) => {
    try {
      return !/^\/proc\/\d+\/stat$/.test(readlinkSync(path.join(dir, fd)));
    } catch {
      return false; // closed since
    }
  }).length;
}
