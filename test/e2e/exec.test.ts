import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import t, { type Test } from 'tap';
import { freePort } from '../support/ports.js';
import { Holdfast, makeRuntimeDir, root, run } from './support/holdfast.js';
import { Load } from './support/load.js';
import { endWith, haveEnded } from './support/processes.js';

const example = path.join(root, 'examples/program');

/** Its real folder: what finds a version by a script costs more than Python itself. null where there is none. */
function pythonFolder(): string | null {
  try {
    const found = execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], { stdio: 'pipe' });
    return path.dirname(found.toString().trim());
  } catch {
    return null;
  }
}

/** The example in C; null where there is no compiler. */
function compiled(t: Test): string | null {
  const program = path.join(t.testdir(), 'server');
  try {
    execFileSync('cc', ['-O1', '-pthread', '-o', program, path.join(example, 'server.c')], { stdio: 'ignore' });
    return program;
  } catch {
    return null;
  }
}

const python = pythonFolder();
const program = compiled(t);
const skipPython = python === null ? 'there is no python3 here' : false;
const skipC = program === null ? 'there is no C compiler here' : false;
const withPython = { PATH: `${python}:${process.env.PATH}` };

interface Options {
  readonly port: number;
  readonly args?: readonly string[];
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly runtimeDir?: string;
}

function start(t: Test, { port, args = [], command, ...rest }: Options): Holdfast {
  return new Holdfast(t, '--exec', {
    ...rest,
    args: [...['--listen', `127.0.0.1:${port}`], ...args, '--', ...command],
  });
}

/** Ten reloads under load, and nothing is lost. */
async function reloaded(t: Test, holdfast: Holdfast, port: number): Promise<void> {
  await holdfast.message('started');
  const load = new Load({ port, fresh: 16, keepAlive: 8 });
  for (let i = 0; i < 10; i++) {
    const { code, stderr } = await holdfast.reload();
    t.equal(code, 0, stderr);
  }
  await load.stop();
  t.same(load.errors, {}, load.summary());
  const generations = new Set(load.answers.map(({ generation }) => generation));
  t.ok(generations.has(1) && generations.has(11), `generations ${[...generations].join(', ')} have answered`);
  t.equal(holdfast.lines('worker started').length, 22);
  t.same(holdfast.lines('kill timeout'), [], 'all have gone by themselves');
}

/** One request on a connection of its own; resolves with the whole answer. */
function get(port: number, url: string): Promise<string> {
  const socket = net.connect(port, '127.0.0.1');
  socket.setEncoding('latin1').end(`GET ${url} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  let text = '';
  socket.on('data', (chunk: string) => {
    text += chunk;
    // Those of the examples leave it to the client.
    if (text.endsWith('}')) socket.destroy();
  });
  return new Promise((resolve, reject) => socket.on('error', reject).on('close', () => resolve(text)));
}

t.test('the example in Python is reloaded under load without an error', { skip: skipPython }, async (t) => {
  const port = await freePort();
  const holdfast = new Holdfast(t, path.join(example, 'holdfast.yaml'), {
    args: ['--listen', `http=127.0.0.1:${port}`],
    env: withPython,
  });
  await reloaded(t, holdfast, port);
  const status = await holdfast.status();
  t.match(status, { listenMode: 'reuseaddr', exec: true, addresses: [{ host: '127.0.0.1', port }] });
  t.match(status.workers[0], { eventLoopDelayMs: null, connections: null, requests: null });
  t.type(status.workers[0]?.rssBytes, 'number');
  const { stdout } = await holdfast.run('status');
  t.match(stdout, /script {2,}\S+server\.py \(a program, run as it is\)/);
  t.match((await holdfast.run('profile', '0', '--heap')).stderr, /is not a Node process/);
});

t.test('the example in C is reloaded under load without an error', { skip: skipC }, async (t) => {
  const port = await freePort();
  const holdfast = start(t, { port, args: ['-i', '2'], command: [program ?? ''] });
  await reloaded(t, holdfast, port);
  t.same(holdfast.lines('worker bound').length, 22, 'each was ready when it had accepted');

  t.comment('a crash costs nobody but itself; what waits is taken by others');
  const from = holdfast.log.length;
  const load = new Load({ port, fresh: 8, keepAlive: 0, perSecond: 100 });
  const [victim] = (await holdfast.status()).workers;
  process.kill(victim?.pid ?? 0, 'SIGKILL');
  t.match(await holdfast.message('worker crashed', from), { slot: 0, signal: 'SIGKILL' });
  t.match(await holdfast.message('replacement scheduled', from), { attempt: 1 });
  await holdfast.message('worker ready', from);
  await load.stop();
  const kinds = Object.keys(load.errors).filter((kind) => kind !== 'ECONNRESET' && kind !== 'socket hang up');
  t.same(kinds, [], `${load.summary()}: no connection was refused, and none has hung`);
  t.match(
    (await holdfast.status()).workers.find(({ slot }) => slot === 0),
    { restarts: 1 },
  );

  t.comment('SIGTERM lets a request that is under way finish');
  const client = net.connect(port, '127.0.0.1').setEncoding('latin1');
  await once(client, 'connect');
  client.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf.');
  // It has been accepted once nothing waits.
  while ((await holdfast.status()).addresses[0]?.sockets[0]?.queueLength !== 0);
  const stop = holdfast.run('stop');
  await Promise.all(
    [0, 1].map((slot) => holdfast.line((line) => line.msg === 'worker draining' && line.slot === slot)),
  );
  client.write('-done');
  let answer = '';
  while (!answer.endsWith('}')) answer += String((await once(client, 'data'))[0]);
  t.match(answer, /^HTTP\/1\.1 200 OK/);
  t.match(answer, /"received":10\}$/);
  client.destroy();
  t.equal((await stop).code, 0);
  t.equal(await holdfast.closed, 0);
});

t.test('programs end when their supervisor is killed', { skip: skipC }, async (t) => {
  const port = await freePort();
  const runtimeDir = makeRuntimeDir(t);
  const args = ['-i', '2', '--name', 'guarded'];
  const first = start(t, { port, args, runtimeDir, command: [program ?? ''] });
  await first.message('started');
  const pids = first.lines('worker started').map(({ pid }) => Number(pid));
  endWith(t, ...pids);
  first.child.kill('SIGKILL');
  await first.closed;
  await haveEnded(...pids);
  const second = start(t, { port, args, runtimeDir, command: [program ?? ''] });
  await second.message('started');
  t.match(await get(port, '/'), /200 OK/);
});

t.test(
  'without koffi a program listens and is reloaded, and READY=1 cannot be waited for',
  { skip: skipC },
  async (t) => {
    const port = await freePort();
    const preload = path.join(root, 'test/fixtures/preloads/without-koffi.cjs');
    const args = ['--listen', `127.0.0.1:${port}`, '--', program ?? ''];
    const holdfast = new Holdfast(t, '--exec', { nodeArgs: ['--require', preload], args });
    await holdfast.message('started');
    t.equal((await holdfast.reload()).code, 0);
    t.match(await get(port, '/'), /"generation":2/);
    const notified = await run(['start', '--exec', '--ready', 'message', '--', 'sleep', '100'], {
      ...{ nodeArgs: ['--require', preload], runtimeDir: makeRuntimeDir(t) },
    });
    t.match(notified, { code: 1, stderr: /cannot wait for READY=1 .*koffi cannot be loaded.* — install koffi/ });
  },
);

t.test('a release whose health is bad is rolled back', { skip: skipC }, async (t) => {
  const port = await freePort();
  const dir = t.testdir();
  const file = path.join(dir, 'holdfast.json');
  const config = { exec: true, script: program, listen: [`127.0.0.1:${port}`], health: '/healthz', trial: '0' };
  writeFileSync(file, JSON.stringify(config));
  const holdfast = new Holdfast(t, file);
  await holdfast.message('started');
  writeFileSync(
    file,
    JSON.stringify({ ...config, env: { UNHEALTHY: '1' }, readyTimeout: '5s', healthInterval: '100ms' }),
  );
  const { code, stderr } = await holdfast.run('reload');
  t.equal(code, 1);
  t.match(stderr, /GET \/healthz answered 500/);
  t.match(await holdfast.status(), { generation: 1, workers: [{ generation: 1, state: 'ready' }] });

  t.comment('so is one that cannot be run any more, before anything is started');
  writeFileSync(file, JSON.stringify({ ...config, script: `${program}-gone` }));
  const gone = await holdfast.run('reload');
  t.equal(gone.code, 1);
  t.match(gone.stderr, /there is no \S+server-gone/);
  t.notMatch(gone.stderr, /\n\s+at /);
  t.match(await get(port, '/'), /200 OK/);
});

t.test('READY=1 makes a program ready, and nothing else does', { skip: skipPython }, async (t) => {
  const script = [
    'import os, signal, socket',
    'signal.signal(signal.SIGUSR1, lambda *_: say(b"STATUS=nearly"))',
    'signal.signal(signal.SIGUSR2, lambda *_: say(b"STATUS=done\\nREADY=1"))',
    'def say(what): socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(what, os.environ["NOTIFY_SOCKET"]); os.write(1, what + b"\\n")',
    'print("up", "LISTEN_FDS" in os.environ, flush=True)',
    'while True: signal.pause()',
  ].join('\n');
  const holdfast = new Holdfast(t, '--exec', {
    args: ['--ready', 'message', '--', 'python3', '-c', script],
    env: withPython,
  });
  await holdfast.message('up False');
  const pid = Number((await holdfast.message('worker started')).pid);
  process.kill(pid, 'SIGUSR1');
  await holdfast.line(({ msg }) => /nearly/.test(msg));
  t.match(await holdfast.status(), { state: 'starting', workers: [{ state: 'starting' }] });
  process.kill(pid, 'SIGUSR2');
  await holdfast.message('started');
  t.equal((await holdfast.stop()).code, 0);
});

t.test('a program is asked to end twice, and is killed where it ignores that', async (t) => {
  const stopped = async (trap: string, ...timeouts: string[]) => {
    const command = ['sh', '-c', `n=0; trap '${trap}' TERM; echo up; while :; do sleep 0.1; done`];
    const holdfast = new Holdfast(t, '--exec', { args: [...timeouts, '--min-uptime', '50ms', '--', ...command] });
    await Promise.all([holdfast.message('started'), holdfast.message('up')]);
    t.equal((await holdfast.stop()).code, 0);
    t.equal(await holdfast.closed, 0);
    return holdfast.lines('worker exited');
  };
  const counts = 'n=$((n + 1)); [ $n = 2 ] && exit 7';
  const [heeded, killed] = await Promise.all([
    stopped(counts, '--drain-timeout', '1s', '--kill-timeout', '1m'),
    stopped('', '--drain-timeout', '100ms', '--kill-timeout', '100ms'),
  ]);
  t.match(heeded, [{ code: 7 }], 'when its drain began, and when it was over');
  t.match(killed, [{ signal: 'SIGKILL' }]);
});

t.test('what cannot be run is told plainly', async (t) => {
  const dir = t.testdir({ 'plain.txt': 'text', broken: '#!/no/such/interpreter\n' });
  const runtimeDir = makeRuntimeDir(t);
  const tried = async (...args: string[]) => {
    const outcome = await run(['start', '--exec', ...args], { cwd: dir, runtimeDir });
    t.notMatch(outcome.stderr, /\n\s+at /, 'no stack trace');
    return outcome;
  };
  t.match(await tried('--', './missing'), { code: 2, stderr: /must be an existing file; there is no \S+missing/ });
  t.match(await tried('--', 'no-such-program'), { code: 2, stderr: /there is no no-such-program on the PATH/ });
  t.match(await tried('--', 'plain.txt'), { code: 2, stderr: /write \.\/plain\.txt|on the PATH/ });
  t.match(await tried('--', './plain.txt'), { code: 2, stderr: /not executable: chmod \+x/ });
  t.match(await tried(), { code: 2, stderr: /script.*must be given/ });
  chmodSync(path.join(dir, 'broken'), 0o755);
  const broken = await tried('--listen', String(await freePort()), '--', './broken');
  t.match(broken, { code: 1, stderr: /cannot start \S+broken: a worker exited with code 12[67]/ });

  t.comment('an address that somebody else has');
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as net.AddressInfo;
  const taken = await tried('--listen', `127.0.0.1:${port}`, '--', 'sleep', '100');
  t.match(taken, {
    code: 1,
    stderr: new RegExp(`cannot listen on 127\\.0\\.0\\.1:${port}: EADDRINUSE.*PID ${process.pid}`),
  });
});
