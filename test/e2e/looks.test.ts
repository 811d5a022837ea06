/** Programs that try whether a port is free before they listen on it, beside plain node. */
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import t from 'tap';
import { freePort } from '../support/ports.js';
import { apps, Holdfast, makeRuntimeDir } from './support/holdfast.js';
import { Load } from './support/load.js';

const script = path.join(apps, 'addresses.cjs');
/** As get-port has them. */
const LOOKS = '127.0.0.1 :: 0.0.0.0 * ::1';

/** What becomes of a connection to a port on which nothing is to be heard. */
async function connects(port: number, host = '127.0.0.1'): Promise<string> {
  const socket = net.connect(port, host);
  try {
    await once(socket, 'connect');
    return 'connected';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  } finally {
    socket.destroy();
  }
}

for (const mode of ['reuseport', 'reuseaddr']) {
  for (const host of [undefined, '0.0.0.0', '127.0.0.1']) {
    t.test(
      `looks at every form of the port find it free, and cost no client anything: ${host ?? 'any host'}, ${mode}`,
      async (t) => {
        const port = await freePort();
        // One that takes its time, where the application does not listen later.
        const slow = host === '127.0.0.1' ? '0.0.0.0/60' : '127.0.0.1/60';
        const env = {
          PORT: String(port),
          LOOKS: `${LOOKS} ${slow}`,
          BOOT_MS: '100',
          ...(host !== undefined && { HOST: host }),
        };
        const holdfast = new Holdfast(t, script, {
          args: ['-i', '2', '--ready', 'message', '--listen-mode', mode],
          env,
        });
        await holdfast.message('started');
        const load = new Load({ port, fresh: 16, keepAlive: 8 });
        for (let i = 0; i < 2; i++) {
          const { code, stderr } = await holdfast.reload();
          t.equal(code, 0, stderr);
        }
        await load.stop();
        t.same(load.errors, {}, load.summary());
        t.same(
          holdfast.log.filter(({ msg }) => msg.startsWith('TAKEN')),
          [],
          'as under plain node',
        );
        const { addresses } = await holdfast.status();
        t.equal(addresses.length, 1, 'no look has left a socket');
      },
    );
  }
}

for (const mode of ['reuseport', 'reuseaddr']) {
  for (const { title, args, trial } of [
    { title: 'no longer than its trial', args: [], trial: '2s' },
    { title: 'for however long, where it says itself that it is ready', args: ['--ready', 'message'], trial: '0' },
  ]) {
    t.test(`a program may look at the port that it serves, ${title}: ${mode}`, async (t) => {
      const port = await freePort();
      // Longer than it takes to count as listening. What a client would get there is no answer, and no end either.
      const env = { PORT: String(port), LOOKS: '*/300', BOOT_MS: '100' };
      const options = { args: ['-i', '2', '--listen-mode', mode, ...args], env, trial };
      const holdfast = new Holdfast(t, script, options);
      await holdfast.message('started');
      // At a first start nobody else serves: a look that takes so long gets the clients, as under plain node.
      await Promise.all(
        [0, 1].map((slot) => holdfast.line((line) => line.msg.startsWith('OPEN') && line.slot === slot)),
      );
      const load = new Load({ port, fresh: 16, keepAlive: 8 });
      const before = (await holdfast.status()).workers.map(({ pid }) => pid);
      t.match(await holdfast.reload(), { code: 0 });
      const after = (await holdfast.status()).workers;
      await load.stop();
      t.same(load.errors, {}, load.summary());
      for (const { pid } of after.filter(({ state }) => state === 'ready')) {
        t.notOk(before.includes(pid));
        t.ok(
          load.answers.some((answer) => answer.pid === pid),
          'the new one serves',
        );
      }
    });
  }
}

t.test('clients are refused between a look and the server itself, and served as soon as that listens', async (t) => {
  for (const mode of ['reuseport', 'reuseaddr']) {
    const port = await freePort();
    const env = { PORT: String(port), LOOKS: '127.0.0.1', BOOT_MS: '1500' };
    const args = ['-i', '2', '--ready', 'message', '--listen-mode', mode];
    const holdfast = new Holdfast(t, script, { args, env });
    const looked = await holdfast.message('socket closed');
    t.equal(looked.address, `127.0.0.1:${port}`);
    await Promise.all([0, 1].map((slot) => holdfast.line((line) => line.msg.startsWith('FREE') && line.slot === slot)));
    t.equal(await connects(port), 'ECONNREFUSED', `as by plain node, in ${mode} mode`);
    await holdfast.message('started');
    t.equal(await connects(port), 'connected');
    t.equal(await connects(port, '::1'), 'connected');
  }
});

t.test('a port that a look has found is free for a helper', async (t) => {
  for (const mode of ['reuseport', 'reuseaddr']) {
    // As by node:cluster, a port is free a moment after its server has been closed: once the supervisor has heard of it.
    const helper = `
      const { createServer } = require('node:net');
      const server = createServer();
      const listen = () => server.listen(Number(process.argv[1]), '127.0.0.1');
      server.on('listening', () => {
        console.log('HELPER ' + server.address().port);
        process.stdin.once('end', () => process.exit()).resume();
      });
      server.on('error', (error) => {
        if (error.code === 'EADDRINUSE') setTimeout(listen, 50);
        else console.log(error.message);
      });
      listen();`;
    const dir = t.testdir({
      'app.cjs': `
        const net = require('node:net');
        const { spawn } = require('node:child_process');
        const look = net.createServer().listen(0, '127.0.0.1', () => {
          const { port } = look.address();
          look.close(() => {
            spawn(process.execPath, ['-e', ${JSON.stringify(helper)}, port], { stdio: ['pipe', 'inherit', 'inherit'] });
            net.createServer().listen(Number(process.env.PORT), () => process.send('ready'));
          });
        });`,
    });
    const holdfast = new Holdfast(t, path.join(dir, 'app.cjs'), {
      args: ['-i', '1', '--ready', 'message', '--listen-mode', mode],
      env: { PORT: String(await freePort()) },
    });
    await holdfast.message('started');
    const { msg } = await holdfast.line((line) => line.msg.startsWith('HELPER') || /^(?:listen|bind) E/.test(line.msg));
    t.match(msg, /^HELPER \d+$/, mode);
  }
});

t.test('a server that all workers close on purpose refuses its clients, and lets none wait', async (t) => {
  for (const mode of ['reuseport', 'reuseaddr']) {
    const port = await freePort();
    const dir = t.testdir({
      'app.cjs': `
        const net = require('node:net');
        const main = net.createServer().listen(Number(process.env.MAIN));
        const other = net.createServer().listen(Number(process.env.PORT), () => process.send('ready'));
        process.on('SIGUSR2', () => other.close());`,
    });
    const holdfast = new Holdfast(t, path.join(dir, 'app.cjs'), {
      args: ['-i', '2', '--ready', 'message', '--listen-mode', mode],
      env: { PORT: String(port), MAIN: String(await freePort()) },
    });
    await holdfast.message('started');
    t.equal(await connects(port), 'connected');
    const before = holdfast.log.length;
    for (const { pid } of (await holdfast.status()).workers) process.kill(Number(pid), 'SIGUSR2');
    const count = mode === 'reuseport' ? 2 : 1;
    for (let from = before, closed = 0; closed < count; closed++) {
      from = holdfast.log.indexOf(await holdfast.message('socket closed', from)) + 1;
    }
    // A handle that was on its way to a sibling, which adopts what the first one leaves, lives until that has read it.
    let found = await connects(port);
    while (found === 'connected') found = await connects(port);
    t.equal(found, 'ECONNREFUSED', mode);
  }
});

for (const mode of ['reuseport', 'reuseaddr']) {
  for (const HOST of ['', '127.0.0.1']) {
    t.test(`what is closed and listened on again in one turn is served: ${HOST || 'any host'}, ${mode}`, async (t) => {
      const port = await freePort();
      const SOCKET = path.join(makeRuntimeDir(t), 'app');
      const args = ['-i', '2', '--listen-mode', mode, '--ready-timeout', '20s'];
      const env = { PORT: String(port), HOST, SOCKET };
      const holdfast = new Holdfast(t, path.join(apps, 'relisten.cjs'), { args, env });
      await holdfast.message('started');
      const loads = [
        new Load({ port, fresh: 2, keepAlive: 0 }),
        new Load({ socketPath: SOCKET, fresh: 2, keepAlive: 0 }),
      ];
      t.match(await holdfast.reload(), { code: 0 });
      for (const load of loads) {
        await load.stop();
        t.same(load.errors, {}, load.summary());
        t.ok(load.answers.length > 0);
      }
      const { addresses } = await holdfast.status();
      t.same(addresses.map(({ kind }) => kind).sort(), ['tcp', 'unix'], 'nothing else is left');
      const worries = holdfast.log.filter(({ level }) => level === 'warn' || level === 'error');
      t.same(worries, []);
    });
  }
}
