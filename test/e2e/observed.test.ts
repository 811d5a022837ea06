/** What is other in an application that is observed: nothing that it could see, and nothing at all where nobody observes. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import { json, text } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { freePort } from '../support/ports.js';
import { ask } from './support/ask.js';
import { apps, Holdfast, makeRuntimeDir, plainly } from './support/holdfast.js';
import { serversEnv } from './support/servers.js';

const script = path.join(apps, 'observed.cjs');
/** Written down of a process: the files that it loads, from its first one on. */
const WATCH = `const Module = require('node:module');
  const files = (globalThis[Symbol.for('loaded files')] = []);
  const { _load } = Module;
  const { _compile } = Module.prototype;
  Module.prototype._compile = function (...args) { files.push(this.filename); return _compile.apply(this, args); };
  if (process.env.LOADED) process.on('exit', () => require('node:fs').writeFileSync(process.env.LOADED, JSON.stringify(files)));`;
/** Of holdfast, what is there to observe with. */
const OBSERVES = /\/(?:measure\.js|(?:observer|page-feed|tallies|admin-access)\.cjs)$/;

interface Seen {
  readonly on: unknown;
  readonly loaded: readonly string[];
  readonly [what: string]: unknown;
}

/** Everything that there is to be asked for, while it is used. */
async function observe(admin: number): Promise<void> {
  for (const query of ['', '?scope=worker']) {
    const metrics = await (await fetch(`http://127.0.0.1:${admin}/metrics${query}`)).text();
    if (!/^holdfast_worker_heap_used_bytes\{slot="0"\} \d/m.test(metrics)) throw new Error(metrics);
  }
  await (await fetch(`http://127.0.0.1:${admin}/`)).text();
  const feed = new AbortController();
  const { body } = await fetch(`http://127.0.0.1:${admin}/feed`, { signal: feed.signal });
  let told = '';
  for await (const piece of body ?? []) {
    told += Buffer.from(piece).toString();
    if (told.includes('event: now')) break;
  }
  feed.abort();
}

t.test('an application finds the same, observed or not, as under plain node', async (t) => {
  const dir = t.testdir({ 'watch.cjs': WATCH });
  const watch = path.join(dir, 'watch.cjs');
  const seen: Record<string, Seen> = {};
  const loaded: Record<string, readonly string[]> = {};

  const port = await freePort();
  const plain = spawn(...plainly([script], { PORT: String(port), NODE_OPTIONS: `--require ${watch}` }), {
    stdio: 'ignore',
  });
  const gone = once(plain, 'exit');
  t.teardown(async () => {
    plain.kill('SIGKILL');
    await gone;
  });
  for (;;) {
    const answer = await ask(port, '/').catch(() => null);
    if (answer !== null) break;
  }
  await ask(port, '/seen');
  seen.plain = (await ask(port, '/seen')) as Seen;

  for (const name of ['alone', 'observed']) {
    const [port, admin] = [await freePort(), await freePort()];
    const list = path.join(dir, `${name}.json`);
    const holdfast = new Holdfast(t, script, {
      args: ['-i', '1', '--ready', 'message', ...(name === 'observed' ? ['--admin', String(admin)] : [])],
      env: { PORT: String(port), NODE_OPTIONS: `--require ${watch}`, LOADED: list },
      nodeArgs: ['--require', watch],
    });
    await holdfast.message('started');
    await ask(port, '/');
    if (name === 'observed') await observe(admin);
    await ask(port, '/seen');
    if (name === 'observed') await observe(admin);
    seen[name] = (await ask(port, '/seen')) as Seen;
    await holdfast.status();
    await holdfast.end();
    loaded[name] = JSON.parse(readFileSync(list, 'utf8')) as string[];
  }
  const told = ({ on, loaded, pid, generation, ...rest }: Seen) => rest;
  t.same(told(seen.alone!), told(seen.plain!));
  t.same(told(seen.observed!), told(seen.plain!));
  t.same(seen.observed!.on, seen.alone!.on, 'nor is there more on sockets, requests and answers');
  t.match(seen.plain, { url: '/seen', delayed: true, collected: true, traced: ['start', 'end'], variables: [] });

  const observing = (files: readonly string[]) =>
    [...new Set(files.filter((file) => OBSERVES.test(file)).map((file) => path.basename(file)))].sort();
  t.same(observing(seen.alone!.loaded), [], 'without an admin address a worker loads nothing of it');
  t.same(observing(seen.observed!.loaded), ['measure.js']);
  t.same(observing(loaded.alone!), [], 'nor does the supervisor');
  t.same(observing(loaded.observed!), ['observer.cjs', 'page-feed.cjs', 'tallies.cjs']);
});

const CLIENTS = 4;

/** Idle connections of each kind, a reload, and what has become of them. */
async function reloaded(t: Test, isObserved: boolean) {
  const [port, secure, admin] = [await freePort(), await freePort(), await freePort()];
  const holdfast = new Holdfast(t, script, {
    args: [
      ...['-i', '2', '--ready', 'message', '--drain-timeout', '2s', '--spread', '100ms'],
      ...(isObserved ? ['--admin', String(admin)] : []),
    ],
    env: { ...serversEnv(makeRuntimeDir(t), 0), PORT: String(port), TLS_PORT: String(secure) },
  });
  await holdfast.message('started');
  const agents = Array.from({ length: 2 * CLIENTS }, (_none, i) => {
    const options = { keepAlive: true, maxSockets: 1 };
    const agent = i < CLIENTS ? new http.Agent(options) : new https.Agent({ ...options, rejectUnauthorized: false });
    t.teardown(() => agent.destroy());
    return agent;
  });
  const askAll = () =>
    Promise.all(
      agents.map(async (agent) => {
        const options = { host: '127.0.0.1', method: 'POST', agent };
        const request =
          agent instanceof https.Agent
            ? https.request({ ...options, port: secure })
            : http.request({ ...options, port });
        request.end('x'.repeat(100));
        const [response] = (await once(request, 'response')) as [http.IncomingMessage];
        const { generation } = (await json(response)) as { generation: number };
        return { generation, isSame: request.reusedSocket, ...(agent instanceof https.Agent && { tls: true }) };
      }),
    );
  await askAll();
  const upgraded = await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      const socket = net.connect(port, '127.0.0.1');
      t.teardown(() => socket.destroy());
      socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
      await once(socket, 'data');
      return socket;
    }),
  );
  if (isObserved) await observe(admin);
  t.equal((await holdfast.run('reload')).code, 0);
  for (const worker of [1, 2]) await holdfast.line((line) => line.msg === 'worker exited' && line.worker === worker);
  if (isObserved) await observe(admin);
  const ends = await Promise.all(
    upgraded.map((socket) =>
      text(socket).then(
        () => 'ended',
        (error) => error.code,
      ),
    ),
  );
  const { handover, cutOff } = await holdfast.status();
  return { answers: await askAll(), ends, handover, cutOff };
}

t.test('connections are handed over, or end, in the same way whether they are counted or not', async (t) => {
  const [alone, observed] = await Promise.all([reloaded(t, false), reloaded(t, true)]);
  t.same(observed, alone);
  t.match(observed.handover, { on: true, handed: CLIENTS, refused: 0, takenBack: 0 });
  const kept = observed.answers.filter((answer) => !('tls' in answer));
  t.same(
    kept,
    kept.map(() => ({ generation: 2, isSame: true })),
    'each over the connection that it had',
  );
});
