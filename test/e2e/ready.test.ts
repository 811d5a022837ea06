/** Ready means ready, and a bad release does not take over: with the trial that every release has by default. */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { freePort } from '../support/ports.js';
import { ask } from './support/ask.js';
import { apps, Holdfast, type LogLine, plainly } from './support/holdfast.js';
import { Load } from './support/load.js';

// Side by side: most of the time they wait.
t.jobs = 3;

const app = path.join(apps, 'ready.cjs');
const TRIAL_MS = 2_000;
const isListening = ({ msg }: LogLine) => msg === 'LISTENS';

async function begin(t: Test, mood: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const [port, admin] = [await freePort(), await freePort()];
  const moodFile = path.join(t.testdir({ mood }), 'mood');
  const holdfast = new Holdfast(t, app, {
    args: ['--admin', String(admin), ...args],
    env: { PORT: String(port), MOOD_FILE: moodFile, ...env },
    trial: null,
  });
  const become = (next: string) => writeFileSync(moodFile, next);
  return { holdfast, port, admin, become, closeAll: () => writeFileSync(`${moodFile}.close`, '') };
}

function timeOf({ time }: LogLine): number {
  return Date.parse(time);
}

for (const mode of ['reuseport', 'reuseaddr']) {
  t.test(
    `a release that throws 400 ms after listen is rolled back, and no connection is lost (${mode})`,
    { buffered: true },
    async (t) => {
      const { holdfast, port, become } = await begin(t, 'good', ['-i', '2', '--listen-mode', mode, '--surge', '2']);
      await holdfast.message('started');
      const before = (await holdfast.status()).workers.map(({ pid }) => pid);
      const load = new Load({ port, fresh: 4, keepAlive: 4 });
      t.teardown(() => load.stop());
      become('throws');
      const { code, stderr } = await holdfast.run('reload');
      t.equal(code, 1);
      t.match(stderr, /exited with code 1 while it served; the last it wrote:.*it goes wrong after a while/s);
      await load.stop();
      t.same(load.errors, {}, load.summary());
      t.same(new Set(load.answers.map(({ generation }) => generation)), new Set([1]), 'it has never answered');
      t.same(holdfast.lines('worker started').filter(({ generation }) => generation === 2).length, 1, 'only one of it');
      const { workers, generation } = await holdfast.settled();
      t.same(
        workers.map(({ pid }) => pid),
        before,
        'the same workers serve',
      );
      t.equal(generation, 1);
    },
  );
}

t.test('a good release takes the time of its trial once', { buffered: true }, async (t) => {
  const { holdfast, port } = await begin(t, 'good', ['-i', '3']);
  await holdfast.message('started');
  t.same(holdfast.lines('on trial'), [], 'the first start has none');
  const load = new Load({ port, fresh: 4, keepAlive: 4 });
  t.teardown(() => load.stop());
  const reload = holdfast.run('reload');
  const began = await holdfast.message('on trial');
  t.match(began, { slot: 0, generation: 2, forMs: TRIAL_MS });
  const passed = await holdfast.message('trial passed');
  // A line has the time at which it is written: on a busy machine that of the first is late.
  t.ok(timeOf(passed) - timeOf(began) >= TRIAL_MS * 0.8);
  const others = () => holdfast.lines('worker started').filter((line) => line.generation === 2);
  t.ok(others().every((line) => line.worker === began.worker || timeOf(line) >= timeOf(passed)));
  t.match(await reload, { code: 0, stderr: /on trial.*trial passed/s });
  await load.stop();
  t.same(load.errors, {}, load.summary());
  t.same([holdfast.lines('on trial').length, others().length], [1, 3]);
});

t.test('--trial says how long, and 0 that there is none', { buffered: true }, async (t) => {
  for (const [trial, expected] of [
    ['300ms', [{ forMs: 300 }]],
    ['0', []],
  ] as const) {
    const { holdfast } = await begin(t, 'good', ['-i', '1', '--trial', trial]);
    await holdfast.message('started');
    t.equal((await holdfast.reload()).code, 0);
    t.match(holdfast.lines('on trial'), expected);
    t.equal(holdfast.lines('on trial').length, expected.length);
    await holdfast.end();
  }
});

t.test('a trial is to be seen, and can be aborted', { buffered: true }, async (t) => {
  const { holdfast } = await begin(t, 'good', ['-i', '2', '--trial', '1h']);
  await holdfast.message('started');
  const reload = holdfast.run('reload');
  await holdfast.message('on trial');
  const { generation, rollout } = await holdfast.status();
  t.match({ generation, rollout }, { generation: 1, rollout: { state: 'running', trial: { slot: 0 } } });
  t.match((await holdfast.run('status')).stdout, /rollout +running .*, first worker on trial in slot 0, (?:59m|1h)/);
  t.match(await holdfast.run('reload', '--abort'), { code: 0 });
  t.match(await reload, { code: 1, stderr: /aborted by hand/ });
});

t.test('a release that looks for its port, boots and dies is rolled back', { buffered: true }, async (t) => {
  // Without a trial: it never counts as ready.
  const { holdfast, port, become } = await begin(t, 'good', ['-i', '2', '--trial', '0']);
  await holdfast.message('started');
  const load = new Load({ port, fresh: 4, keepAlive: 0 });
  t.teardown(() => load.stop());
  become('looksAndDies');
  const { code, stderr } = await holdfast.run('reload');
  await load.stop();
  t.equal(code, 1);
  t.match(stderr, /exited with code 3 before it was ready/);
  t.same(load.errors, {}, load.summary());
  t.same(
    (await holdfast.settled()).workers.map((worker) => [worker.generation, worker.state]),
    [
      [1, 'ready'],
      [1, 'ready'],
    ],
  );
  t.notOk(holdfast.lines('worker ready').some(({ generation }) => generation === 2));
});

t.test('a program that looks for its port first is ready when it really listens', { buffered: true }, async (t) => {
  const { holdfast, port, admin, become } = await begin(t, 'looks', ['-i', '2']);
  const started = await holdfast.message('started');
  const listening = holdfast.log.filter(isListening).map(timeOf);
  t.equal(listening.length, 2, 'both listen, and not only once');
  t.ok(timeOf(started) >= Math.max(...listening));
  t.match(holdfast.lines('worker bound').length, 4);
  t.match(await fetch(`http://127.0.0.1:${admin}/readyz`), { status: 200 });

  const plainPort = await freePort();
  const env = { PORT: String(plainPort), MOOD_FILE: path.join(t.testdir({ mood: 'looks' }), 'mood') };
  const plain = spawn(...plainly([app], env), { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => plain.kill('SIGKILL'));
  for await (const chunk of plain.stdout) if (String(chunk).includes('LISTENS')) break;
  const { mood } = (await ask(plainPort)) as { mood: string };
  t.match(await ask(port), { mood }, 'it answers as under plain node');

  become('looks');
  const load = new Load({ port, fresh: 4, keepAlive: 4 });
  t.teardown(() => load.stop());
  t.match(await holdfast.reload(), { code: 0 });
  await load.stop();
  t.same(load.errors, {}, load.summary());
});

t.test('a ready worker that closes its server is not ready, and has a successor', { buffered: true }, async (t) => {
  const { holdfast, port, admin } = await begin(t, 'good', [
    '-i',
    '1',
    '--drain-timeout',
    '2s',
    '--kill-timeout',
    '1s',
  ]);
  await holdfast.message('started');
  const at = holdfast.log.length;
  const { pid } = (await ask(port, '/close')) as { pid: number };
  await holdfast.message('worker no longer ready', at);
  const [probe, { workers }] = await Promise.all([fetch(`http://127.0.0.1:${admin}/readyz`), holdfast.status()]);
  // Where the machine is slow its successor may be there already.
  if (workers.some((worker) => worker.state === 'ready')) t.comment('its successor was quick');
  else t.equal(probe.status, 503);
  t.not(workers.find((worker) => worker.pid === pid)?.state, 'ready');
  const answer = (await ask(port)) as { pid: number };
  t.not(answer.pid, pid, 'whoever asks meanwhile is answered by the next one');
  await holdfast.message('worker ready', at);
  t.equal((await fetch(`http://127.0.0.1:${admin}/readyz`)).status, 200);
  t.match((await holdfast.status()).workers.at(-1)?.restartReason, /has closed 127\.0\.0\.1:\d+ by itself/);
});

for (const [closes, is] of [
  ['one', 'that another worker still has is a fault of that worker'],
  ['all', 'that all workers have closed is given up'],
] as const) {
  t.test(`one of several servers ${is}`, { buffered: true }, async (t) => {
    const secondPort = await freePort();
    const env = { SECOND_PORT: String(secondPort), CLOSES: closes };
    const { holdfast, port, closeAll } = await begin(t, 'two', ['-i', '2'], env);
    await holdfast.message('started');
    if (closes === 'one') {
      const { slot, reason } = await holdfast.message('worker failed');
      t.equal(slot, 0);
      t.match(reason, new RegExp(`has closed 127.0.0.1:${secondPort} by itself, where others`));
      const at = holdfast.log.findIndex(({ msg }) => msg === 'worker failed');
      await holdfast.line((line) => line.msg === 'worker ready' && line.slot === 0, at);
    } else {
      // One that is closed within moments was a look at the port.
      await pause(1_000);
      closeAll();
      await holdfast.line((line) => line.msg === 'address given up' && line.slot === 0);
      await holdfast.line((line) => line.msg === 'address given up' && line.slot === 1);
      t.same(holdfast.lines('worker failed'), []);
    }
    t.match(await ask(port), { mood: 'two' });
  });
}

t.test('workers that end up on different addresses are told of', { buffered: true }, async (t) => {
  const { holdfast, port } = await begin(t, 'switches', ['-i', '2']);
  const told = await holdfast.message('workers listen on different addresses');
  t.match(told, { slot: 1, addresses: ['127.0.0.1:0#0'], otherSlot: 0, otherAddresses: [`127.0.0.1:${port}`] });
  t.match(told.hint, /same address/);
  await holdfast.message('started');
});
