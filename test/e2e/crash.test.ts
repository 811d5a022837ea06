import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { freePort } from '../support/ports.js';
import { ask } from './support/ask.js';
import { block } from './support/block.js';
import { apps, bin, Holdfast, makeRuntimeDir, plainly } from './support/holdfast.js';
import { queued } from './support/tcp-state.js';

const moody = path.join(apps, 'moody.cjs');

for (const mode of ['reuseport', 'reuseaddr']) {
  t.test(`a slot in a crash loop does not hold up a single connection, in ${mode} mode`, async (t) => {
    const port = await freePort();
    const holdfast = new Holdfast(t, moody, {
      args: ['-i', '2', '--listen-mode', mode, '--max-restarts', '3', '--backoff-base', '10ms', '--backoff-max', '20s'],
      env: { PORT: String(port), MOOD: 'good' },
    });
    await holdfast.message('started');
    while (holdfast.lines('crash loop').length === 0) {
      const at = holdfast.log.length;
      await t.rejects(ask(port, '/crash'));
      await holdfast.message('replacement scheduled', at);
    }
    const [{ slot } = { slot: null }] = holdfast.lines('crash loop');
    // One that is killed as soon as it accepts was not ready yet.
    const crashes = [...holdfast.lines('worker crashed'), ...holdfast.lines('worker exited')];
    const own = crashes.filter((line) => line.slot === slot);
    t.equal(own.length, 4, 'reported when there were more than maxRestarts in one slot');
    t.equal((await holdfast.status()).crashLoop, true);
    // Whether the last one's replacement is up or not: new connections find somebody.
    for (let i = 0; i < 50; i++) t.match(await ask(port), { mood: 'good' });
  });
}

t.test('connections that wait in the queue of a crashed worker are served by a sibling', async (t) => {
  const port = await freePort();
  const holdfast = new Holdfast(t, moody, {
    // Steered, the queue would be served while its worker is still alive.
    args: ['-i', '2', '--listen-mode', 'reuseport', '--steering', 'off', '--backoff-base', '1h', '--backoff-max', '1h'],
    env: { PORT: String(port) },
  });
  await holdfast.message('started');
  const blocked = ask(port, '/block', { 'x-ms': '600000' }).then(
    () => 'answered',
    () => 'cut off',
  );
  let stuck = await stuckWorker(holdfast);
  while (stuck === undefined) stuck = await stuckWorker(holdfast);
  // Opened while one of the two is blocked: about half of them wait in its queue.
  const waiting = Array.from({ length: 40 }, () => ask(port));
  while (queued(port) === 0) await turn();
  process.kill(stuck.pid ?? 0, 'SIGKILL');
  t.equal(await blocked, 'cut off', 'the request inside');
  const answers = (await Promise.all(waiting)) as { slot: number }[];
  t.same(
    new Set(answers.map(({ slot }) => slot)),
    new Set([1 - stuck.slot]),
    'all others are answered, without the slot',
  );
  for (let i = 0; i < 30; i++) t.match(await ask(port), { slot: 1 - stuck.slot }, 'new ones as well');
});

t.test('an application that never gets up ends the start, with what it wrote', async (t) => {
  const holdfast = new Holdfast(t, moody, { args: ['-i', '3'], env: { MOOD: 'throws' } });
  t.equal(await holdfast.closed, 1);
  t.match(holdfast.stderr, /cannot start .*moody\.cjs.*exited with code 1.*this release is broken/s);
  t.equal(holdfast.lines('worker started').length, 3, 'every slot had one try');
});

t.test('one slot that does not get up does not keep the others from serving', async (t) => {
  const port = await freePort();
  const holdfast = new Holdfast(t, moody, { args: ['-i', '2'], env: { PORT: String(port), MOOD: 'slot1-throws' } });
  await holdfast.message('started');
  t.match(await ask(port), { slot: 0 });
  await holdfast.line(({ msg, slot, attempt }) => msg === 'replacement scheduled' && slot === 1 && attempt === 2);
});

for (const mode of ['reuseport', 'reuseaddr']) {
  t.test(`an address that is taken is refused with its owner's name, in ${mode} mode`, async (t) => {
    const port = await freePort();
    const owner = spawn(...plainly([moody, 'the-owner'], { PORT: String(port) }));
    t.teardown(() => owner.kill('SIGKILL'));
    await reachable(port);
    const args = ['-i', '2', '--listen-mode', mode];
    const env = { PORT: String(port) };
    const refused = new Holdfast(t, moody, { args, env });
    t.equal(await refused.closed, 1);
    t.match(refused.stderr, `127.0.0.1:${port}`);
    t.match(refused.stderr, `PID ${owner.pid}`);
    t.match(refused.stderr, /moody\.cjs the-owner/);
    t.notMatch(refused.stderr, /at .*\.js:\d+/, 'no stack trace');

    const patient = new Holdfast(t, moody, { args: [...args, '--bind-timeout', '30s'], env });
    const said = await patient.message('address is taken, waiting for its owner to go');
    t.equal(said.ownerPid, owner.pid);
    owner.kill('SIGKILL');
    await patient.message('started');
    t.match(await ask(port), { generation: 1 });
  });
}

t.test('a start that has no file descriptors left says so instead of falling over', async (t) => {
  const env = { HOLDFAST_RUNTIME_DIR: makeRuntimeDir(t), PORT: String(await freePort()) };
  const [command, args] = plainly([bin, 'start', moody, '-i', '45', '--log-format', 'json'], env);
  const child = spawn('sh', ['-c', 'ulimit -n 130; exec "$@"', 'sh', command, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
  t.equal(code, 1);
  t.match(stderr, /cannot start .*(EMFILE|no file descriptor)/s);
  t.notMatch(stderr, /Unhandled|at .+:\d+:\d+/, 'no stack trace');
});

t.test('a stop serves what already waits in the queue', async (t) => {
  for (const mode of ['reuseport', 'reuseaddr']) {
    const port = await freePort();
    const holdfast = new Holdfast(t, moody, { args: ['-i', '2', '--listen-mode', mode], env: { PORT: String(port) } });
    await holdfast.message('started');
    const until = path.join(holdfast.runtimeDir, 'go-on');
    const blocking = await block(port, [0, 1], until);
    // Nobody accepts now: all of these wait.
    const waiting = Array.from({ length: 30 }, () => ask(port));
    while (queued(port) < waiting.length) await turn();
    holdfast.child.kill('SIGTERM');
    await holdfast.message('stopping');
    writeFileSync(until, '');
    const answers = await Promise.allSettled([...blocking, ...waiting]);
    t.same(
      answers.filter(({ status }) => status === 'rejected'),
      [],
      mode,
    );
    t.equal(await holdfast.closed, 0);
  }
});

/** Lets the sockets of this process have their turn. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function stuckWorker(holdfast: Holdfast) {
  const { workers } = await holdfast.status();
  return workers.find((worker) => worker.connections === null && worker.state === 'ready');
}

async function reachable(port: number): Promise<void> {
  for (;;) {
    const socket = net.connect(port, '127.0.0.1');
    const [event] = await Promise.race([
      once(socket, 'connect').then(() => ['connect']),
      once(socket, 'error').then(() => ['error']),
    ]).catch(() => ['error']);
    socket.destroy();
    if (event === 'connect') return;
  }
}
