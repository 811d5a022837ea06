import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { apps, Holdfast, type LogLine } from './support/holdfast.js';
import { Load } from './support/load.js';

const RELOADS = 10;

for (const mode of ['reuseport', 'reuseaddr']) {
  t.test(`loses nothing in ${RELOADS} reloads of busy workers, in ${mode} mode`, async (t) => {
    const holdfast = new Holdfast(t, path.join(apps, 'busy.cjs'), {
      args: ['-i', '2', '--listen-mode', mode, '--name', 'busy'],
    });
    const load = new Load({ port: await holdfast.port() });
    t.teardown(() => load.stop());

    for (let generation = 2; generation <= RELOADS + 1; generation++) {
      const { code, stderr } = await holdfast.reload();
      const doneAt = Date.now();
      t.equal(code, 0, `reload to generation ${generation} went well ${stderr}`);
      await answersSince(load, doneAt, 20);
      const late = load.answers.filter((answer) => answer.sentAt > doneAt && answer.generation !== generation);
      t.same(late, [], 'all answers come from the new generation');
    }
    // However slow the machine is: so many that a loss would be seen.
    while (load.answers.length <= 500) await pause(10);
    await load.stop();

    t.same(load.errors, {}, `no error of any kind: ${load.summary()}`);
    assertAliveAnswers(t, load, holdfast);
    assertBoundBeforeClosed(t, holdfast);
    t.equal((await holdfast.status()).listenMode, mode);
  });
}

t.test('an application that closes its server on SIGTERM loses nothing either', async (t) => {
  const holdfast = new Holdfast(t, path.join(apps, 'busy.cjs'), {
    args: ['-i', '2'],
    env: { CLOSE_ON_SIGTERM: '1' },
  });
  const load = new Load({ port: await holdfast.port() });
  t.teardown(() => load.stop());
  for (let i = 0; i < 3; i++) t.equal((await holdfast.run('reload')).code, 0);
  await load.stop();
  t.same(load.errors, {});
  t.same(
    new Set(holdfast.lines('worker exited').map((line) => line.code)),
    new Set([0]),
    'its own handler ended every worker',
  );
});

t.test('kill -9 of random workers costs only the requests that were inside', async (t) => {
  const workers = 3;
  const holdfast = new Holdfast(t, path.join(apps, 'busy.cjs'), { args: ['-i', String(workers)] });
  const load = new Load({ port: await holdfast.port(), fresh: 16, keepAlive: 16 });
  t.teardown(() => load.stop());
  const kills = 8;
  let inside = 0;
  for (let i = 0; i < kills; i++) {
    await answersSince(load, Date.now(), 50);
    const ready = (await holdfast.status()).workers.filter((worker) => worker.state === 'ready');
    const victim = ready[i % ready.length];
    if (victim?.pid == null) throw new Error('no worker is ready');
    inside += victim.connections ?? 0;
    const before = holdfast.log.length;
    process.kill(victim.pid, 'SIGKILL');
    await holdfast.line((line) => line.msg === 'worker ready' && line.slot === victim.slot, before);
  }
  await load.stop();
  // A request inside the killed worker is cut off: its client sees a reset, or the end of the connection.
  const { ECONNRESET = 0, ...others } = load.errors;
  t.same(others, {}, 'nothing is refused and nothing times out');
  t.ok(ECONNRESET <= kills * 32, `${ECONNRESET} requests were inside; connections seen there before: ${inside}`);
  assertAliveAnswers(t, load, holdfast);
});

/** Waits until `count` more requests that began after `time` have been answered. */
async function answersSince(load: Load, time: number, count: number): Promise<void> {
  // At leisure: the load's own clients share this process.
  while (load.answers.slice(-count).filter((answer) => answer.sentAt > time).length < count) await pause(5);
}

function assertAliveAnswers(t: Test, load: Load, holdfast: Holdfast): void {
  const goneAt = new Map<number, number>();
  const known = new Set<number>();
  for (const line of holdfast.log) {
    if (line.msg === 'worker started') known.add(Number(line.pid));
    if (line.msg === 'worker exited' || line.msg === 'worker crashed')
      goneAt.set(Number(line.pid), Date.parse(line.time));
  }
  const strange = load.answers.filter(({ pid, sentAt }) => !known.has(pid) || sentAt > (goneAt.get(pid) ?? Infinity));
  t.same(strange, [], 'every answer comes from a worker that was alive');
}

/** For every slot and address: the new worker was bound before its predecessor closed. */
function assertBoundBeforeClosed(t: Test, holdfast: Holdfast): void {
  const closed = holdfast.lines('worker closed');
  t.ok(closed.length >= RELOADS * 2, `${closed.length} sockets were closed by workers`);
  const unfollowed = closed.filter((line) => !wasFollowed(holdfast.log, line));
  t.same(unfollowed, [], 'each was bound by the successor before');
}

function wasFollowed(log: readonly LogLine[], closed: LogLine): boolean {
  return log
    .slice(0, log.indexOf(closed))
    .some(
      (line) =>
        line.msg === 'worker bound' &&
        line.slot === closed.slot &&
        line.address === closed.address &&
        Number(line.generation) > Number(closed.generation),
    );
}
