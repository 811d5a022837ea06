import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { WebSocketServer } from 'ws';
import { type HangTarget, hangStack } from '../../../../src/supervisor/workers/questions/hang-stack.js';

/** For those that answer: far longer than it takes. */
const LONG_MS = 30_000;
/** For those that do not. */
const SHORT_MS = 500;

/**
 * A program that has come to `up()`, its inspector prepared as in a worker. The first pause may still be within `up`: what
 * is looked for is whoever called it.
 */
async function stuck(t: Test, code: string) {
  const dir = t.testdir({
    'my app': {
      'server.cjs': `process.debugPort = 0; globalThis.up = function up() { require('fs').writeSync(1, 'up'); };\n${code}\n`,
    },
  });
  const file = path.join(dir, 'my app', 'server.cjs');
  const child = spawn(process.execPath, [file], { cwd: path.dirname(file), env: { ...process.env, NODE_OPTIONS: '' } });
  const exited = once(child, 'exit');
  t.teardown(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  const lines = createInterface({ input: child.stderr });
  /** The first line of standard error. */
  const line = new Promise<string>((resolve) => lines.once('line', resolve));
  const listeners = new Set<(line: string) => void>();
  lines.on('line', (text) => {
    for (const listener of listeners) listener(text);
  });
  const target: HangTarget = {
    signal: (signal) => child.kill(signal),
    onStderrLine: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  await once(child.stdout, 'data');
  return { child, exited, file, line, listeners, target };
}

/** Of a stack, the innermost call of that function and those around it. */
function from(name: string, stack: readonly string[] | null): readonly string[] {
  return stack?.slice(stack.findIndex((frame) => frame.startsWith(`${name} (`))) ?? [];
}

t.test('tells where an endless loop is, the innermost call first', async (t) => {
  const code = 'outer();\nfunction outer() { spin(); }\nfunction spin() { up(); for (;;) ; }';
  const { file, listeners, target } = await stuck(t, code);
  const stack = from('spin', await hangStack(target, LONG_MS));
  t.match(stack[0], new RegExp(`^spin \\(${literally(file)}:4:\\d+\\)$`), 'its file as it is called on disk');
  t.equal(stack[1], `outer (${file}:3:20)`);
  t.equal(listeners.size, 0, 'it listens no longer');
});

t.test('tells of at most 20 calls', async (t) => {
  const { target } = await stuck(t, '(function deep(n) { if (n > 0) deep(n - 1); up(); for (;;) ; })(50);');
  const stack = await hangStack(target, LONG_MS);
  t.equal(stack?.length, 20);
  t.match(stack?.[19], /^deep \(/);
});

t.test('code that has neither a name nor a file has a place all the same', async (t) => {
  const { target } = await stuck(t, '(0, eval)("(() => { up(); for (;;) ; })()");');
  t.match(from('(anonymous)', await hangStack(target, LONG_MS))[0], /^\(anonymous\) \(<anonymous>:1:\d+\)$/);
});

t.test('a script that calls itself something which is no path keeps that name', async (t) => {
  const { target } = await stuck(
    t,
    '(0, eval)("(function spin() { up(); for (;;) ; })()\\n//# sourceURL=file://far/%2F");',
  );
  t.match(from('spin', await hangStack(target, LONG_MS))[0], /^spin \(file:\/\/far\/%2F:1:\d+\)$/);
});

for (const [what, code] of [
  ['a regular expression that takes forever', '/^(a+)+$/.test("a".repeat(60) + "!");'],
  ['Atomics.wait', 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);'],
  ['promises without end', 'Promise.resolve().then(stay); up = () => {};'],
]) {
  t.test(`finds ${what}`, async (t) => {
    const { target } = await stuck(t, `stay();\nfunction stay() { up(); ${code} }`);
    t.match(from('stay', await hangStack(target, LONG_MS))[0], /^stay \(.*server\.cjs:3:\d+\)$/);
  });
}

t.test('finds the announcement behind a line that the application has not ended', async (t) => {
  const { target } = await stuck(t, 'process.stderr.write("working"); spin();\nfunction spin() { up(); for (;;) ; }');
  t.match(from('spin', await hangStack(target, LONG_MS))[0], /^spin /);
});

t.test('a worker that has answered runs on, and its inspector is closed', async (t) => {
  const { child, file, line, target } = await stuck(t, 'up();\nwhile (!require("fs").existsSync("go")) ;\nup();');
  t.ok(await hangStack(target, LONG_MS));
  const port = Number(/127\.0\.0\.1:(\d+)/.exec(await line)?.[1]);
  t.ok(port > 0);
  const socket = connect(port, '127.0.0.1');
  t.teardown(() => socket.destroy());
  t.match(await once(socket, 'connect').catch((error) => error), { code: 'ECONNREFUSED' });
  const runsOn = once(child.stdout, 'data');
  writeFileSync(path.join(path.dirname(file), 'go'), '');
  t.equal(String(await runsOn), 'up');
});

t.test('without an answer in time it is null, and nobody listens any longer', async (t) => {
  const wait = 'require("child_process").execSync("printf up; read x", { stdio: "inherit" });';
  const cases: [what: string, code: string, stop?: 'SIGSTOP'][] = [
    ['a stopped worker', 'up(); for (;;) ;', 'SIGSTOP'],
    // That process has the standard input of the worker, and ends with it.
    ['a worker that waits for another process', wait],
    ['an application with a SIGUSR1 handler', 'process.on("SIGUSR1", () => {}); up(); for (;;) ;'],
  ];
  for (const [what, code, stop] of cases) {
    const { child, listeners, target } = await stuck(t, code);
    if (stop !== undefined) child.kill(stop);
    t.equal(await hangStack(target, SHORT_MS), null, what);
    t.equal(listeners.size, 0, what);
  }
  const { line, target } = await stuck(t, 'require("inspector").open(0, "127.0.0.1"); up(); for (;;) ;');
  t.match(await line, /^Debugger listening/);
  t.equal(await hangStack(target, SHORT_MS), null, 'an inspector that was open before');
});

t.test('a process that has ended and one that cannot be asked are null', async (t) => {
  const { exited, target } = await stuck(t, 'up();');
  await exited;
  t.equal(await hangStack(target, SHORT_MS), null);
  const cannot = () => {
    throw new Error('kill ESRCH');
  };
  t.equal(await hangStack({ ...target, signal: cannot }, LONG_MS), null, 'it does not wait for the time to pass');
  t.equal(await hangStack({ ...target, onStderrLine: cannot }, LONG_MS), null);
});

/** What the worker prints in answer to the signal. */
function printing(line: string): HangTarget {
  let listener: (line: string) => void = () => {};
  return {
    onStderrLine: (given) => {
      listener = given;
      return () => {};
    },
    signal: () => listener(line),
  };
}

t.test('goes nowhere but to an inspector on loopback, whatever the application prints', async (t) => {
  const id = '0f2c7a31-0000-4000-8000-000000000000';
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  t.teardown(() => server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as { port: number };

  for (const host of ['localhost', '127.0.0.1.example', '127.0.0.2', 'user@127.0.0.1']) {
    t.equal(await hangStack(printing(`Debugger listening on ws://${host}:${port}/${id}`), SHORT_MS), null, host);
  }
  t.equal(await hangStack(printing(`Debugger listening on ws://127.0.0.1:${port}/${id} or so`), SHORT_MS), null);
  t.equal(connections, 0);
  t.equal(
    await hangStack(printing(`Debugger listening on ws://127.0.0.1:${port}/${id}`), LONG_MS),
    null,
    'it hangs up',
  );
  t.equal(connections, 1);
});

t.test('what is no inspector is null at once, even where it speaks WebSocket', async (t) => {
  const paused = '{"method":"Debugger.paused"';
  for (const words of ['hello', 'null', `${paused}}`, `${paused},"params":{"callFrames":[0]}}`]) {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    t.teardown(() => server.close());
    await once(server, 'listening');
    server.on('connection', (socket) => socket.send(words));
    const { port } = server.address() as { port: number };
    t.equal(await hangStack(printing(`Debugger listening on ws://127.0.0.1:${port}/00-11`), LONG_MS), null, words);
  }
});

t.test('does not wait longer for an inspector that says nothing, and hangs up', async (t) => {
  const server = createServer();
  t.teardown(() => server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as { port: number };
  const accepted = once(server, 'connection');
  t.equal(await hangStack(printing(`Debugger listening on ws://127.0.0.1:${port}/00-11`), SHORT_MS), null);
  const [socket] = await accepted;
  socket.on('error', () => {});
  if (!socket.destroyed) await once(socket.resume(), 'close');
  t.ok(socket.destroyed);
});

const literally = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
