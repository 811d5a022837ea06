import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { exchange, readLines } from '../../src/control/exchange.js';
import { readEvents } from '../../src/control/server-sent-events.js';
import { ask } from './support/ask.js';
import { bin, Holdfast, plainly } from './support/holdfast.js';

const APP = `
const http = require('node:http');
function burnTheProcessor(ms) { for (const end = Date.now() + ms; Date.now() < end; ); }
globalThis.marked = ['a string that is in the heap'];
http.createServer((request, response) => {
  if (request.url === '/die') process.exit(7);
  burnTheProcessor(20);
  response.end(JSON.stringify({ pid: process.pid }));
}).listen(0, '127.0.0.1');
`;

async function start(t: Test) {
  const cwd = t.testdir({ 'app.cjs': APP, out: {} });
  const holdfast = new Holdfast(t, path.join(cwd, 'app.cjs'), {
    args: ['--name', 'shop', '--hang-timeout', '1s'],
    cwd,
  });
  return { holdfast, cwd, port: await holdfast.port(), file: (name: string) => path.join(cwd, 'out', name) };
}

const inRuntime = (holdfast: Holdfast) => readdirSync(holdfast.runtimeDir).filter((name) => name.endsWith('.profile'));

t.test('profiles of a live worker are what Chrome reads, for their owner alone', async (t) => {
  const { holdfast, port, file } = await start(t);
  const cpu = holdfast.run('profile', '--cpu', '1s', '-o', file('a.cpuprofile'));
  let busy = true;
  const load = (async () => {
    while (busy) await ask(port);
  })();
  const outcome = await cpu;
  busy = false;
  await load;
  t.equal(outcome.code, 0, outcome.stderr);
  t.equal(outcome.stdout.split('  ')[0], file('a.cpuprofile'));
  const profile = JSON.parse(readFileSync(file('a.cpuprofile'), 'utf8'));
  // The function itself may be inlined.
  const busyNodes = profile.nodes.filter(
    ({ callFrame, hitCount }: { callFrame: { url: string }; hitCount: number }) =>
      hitCount > 0 && callFrame.url.endsWith('/app.cjs'),
  );
  t.not(busyNodes.length, 0, 'the application is what keeps it busy');
  t.ok(profile.endTime - profile.startTime >= 900_000, 'microseconds');
  t.equal(statSync(file('a.cpuprofile')).mode & 0o777, 0o600);

  t.equal((await holdfast.run('profile', 'shop', '1', '--heap', '-o', file('a.heapsnapshot'))).code, 0);
  const snapshot = JSON.parse(readFileSync(file('a.heapsnapshot'), 'utf8'));
  t.ok(snapshot.snapshot.meta.node_fields.includes('self_size'));
  t.ok(snapshot.strings.includes('a string that is in the heap'));
  t.equal(statSync(file('a.heapsnapshot')).mode & 0o777, 0o600);

  const sampled = await holdfast.run('profile', '0', '--sampling-heap', '200ms', '--json', '-o', file('a.heapprofile'));
  t.match(JSON.parse(sampled.stdout), { file: file('a.heapprofile'), worker: 1 });
  t.ok(JSON.parse(readFileSync(file('a.heapprofile'), 'utf8')).head.callFrame);

  t.match(await ask(port), { pid: (await holdfast.status()).workers[0]?.pid }, 'it is the same worker still');
  t.same(
    holdfast.log.filter(({ msg }) => msg.includes('Debugger')),
    [],
    'no port was opened',
  );
  t.match(await holdfast.run('profile', '--heap', '-o', file('a.heapsnapshot')), {
    code: 1,
    stderr: /EEXIST\n.*--output/,
  });
  t.same(inRuntime(holdfast), []);
});

t.test('a worker that cannot write there writes to the runtime folder, from where it is taken', async (t) => {
  const { holdfast, cwd } = await start(t);
  // Its view of the file is another one: the file that was made is no longer at that path.
  const made = path.join(cwd, 'out/a.cpuprofile');
  writeFileSync(made, '');
  const body = { of: 'first', what: 'cpu', forMs: 100, file: made, id: '1 1' };
  const answer = await exchange(path.join(holdfast.runtimeDir, 'shop.sock'), {
    method: 'POST',
    path: '/profile',
    body,
  });
  const events: { event: string; data: string }[] = [];
  for await (const event of readEvents(readLines(answer))) events.push(event);
  const { event, data } = events.at(-1) ?? { event: 'none', data: '{}' };
  t.equal(event, 'result');
  const result = JSON.parse(data);
  t.match(result, { ok: true, file: new RegExp(`^${holdfast.runtimeDir}/\\.shop\\.`) });
  t.ok(JSON.parse(readFileSync(result.file, 'utf8')).nodes.length > 0);
  t.equal(statSync(result.file).mode & 0o777, 0o600);
  t.equal(readFileSync(made, 'utf8'), '', 'what was not known again is left alone');
});

t.test('what cannot be done is said, and leaves no file', async (t) => {
  const { holdfast, port, cwd, file } = await start(t);
  mkdirSync(path.join(cwd, 'out/sub'));
  t.match(await holdfast.run('profile', '9', '--heap', '-o', file('x')), { code: 1, stderr: /there is no worker 9/ });
  t.match(await holdfast.run('profile'), { code: 2, stderr: /one of --cpu 10s/ });
  t.match(await holdfast.run('profile', '--heap', '--cpu', '1s'), { code: 2, stderr: /two profiles at once/ });
  t.match(await holdfast.run('profile', '--cpu', '10'), { code: 2, stderr: /not a duration/ });
  t.match(await holdfast.run('profile', '--heap', '-o', file('none/x')), { code: 1, stderr: /ENOENT/ });
  const words = [bin, 'profile', '--cpu', '5m', '-o', file('y')];
  const child = spawn(...plainly(words, { HOLDFAST_RUNTIME_DIR: holdfast.runtimeDir }), {
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const closed = once(child, 'close');
  const told: string[] = [];
  const lines = createInterface({ input: child.stderr }).on('line', (line) => told.push(line));
  await once(lines, 'line');
  t.match(told, ['shop: profiling worker 1, for 5 min 0 s']);
  t.match(await holdfast.run('profile', '--heap', '-o', file('z')), {
    code: 1,
    stderr: /profiled or inspected already/,
  });
  await t.rejects(ask(port, '/die'));
  t.same(await closed, [1, null]);
  t.match(told.join('\n'), /worker 1 has ended/);
  t.same(readdirSync(path.join(cwd, 'out')), ['sub']);
  t.same(inRuntime(holdfast), []);
});

t.test('inspect opens the inspector of a worker, keeps its URL out of the log, and closes it at the end', async (t) => {
  const { holdfast, port } = await start(t);
  const child = spawn(...plainly([bin, 'inspect', 'shop'], { HOLDFAST_RUNTIME_DIR: holdfast.runtimeDir }), {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = once(child, 'close');
  t.teardown(() => child.kill('SIGKILL'));
  const [url] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  t.match(url, /^ws:\/\/127\.0\.0\.1:\d+\/[\da-f-]{36}$/);
  const said = await holdfast.line(({ msg }) => msg.includes('Debugger listening on'));
  t.match(said.msg, /listening on ws:\/\/127\.0\.0\.1:\d+\/\.\.\.$/);
  t.notMatch(JSON.stringify(holdfast.log), new RegExp(url.split('/').at(-1) ?? ''));

  const debug = new WebSocket(url, { perMessageDeflate: false });
  await once(debug, 'open');
  const ended = once(debug, 'close');
  const paused = new Promise<void>((resolve) => {
    debug.on('message', (text) => {
      if (String(text).includes('Debugger.paused')) resolve();
    });
  });
  debug.send('{"id":1,"method":"Debugger.enable"}');
  debug.send('{"id":2,"method":"Debugger.pause"}');
  const answer = ask(port);
  await paused;

  t.match(await holdfast.run('inspect', 'shop'), { code: 1, stderr: /profiled or inspected already/ });
  child.kill('SIGINT');
  t.same(await closed, [0, null]);
  await ended;
  t.ok(await answer, 'it runs on from its breakpoint');
  const again = new WebSocket(url, { perMessageDeflate: false });
  const [error] = (await once(again, 'error')) as [NodeJS.ErrnoException];
  t.match(error.message, /ECONNREFUSED/);
  t.equal(holdfast.lines('worker started').length, 1, 'nobody took it for one that hangs');
});
