/** The supervisor as a service of a real systemd, under load from outside of it. */
import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { Load } from '../e2e/support/load.js';
import { udpAsker } from '../e2e/support/udp-asker.js';
import { freePort } from '../support/ports.js';
import { bootLab, ROOT } from './support/lab.js';
import {
  APPS,
  HOLDFAST,
  inside,
  install,
  isUp,
  keptOver,
  lab,
  node,
  shell,
  show,
  systemctl,
  until,
} from './support/service.js';

const reason = await bootLab(t, lab);

t.test('a service of a real systemd', { skip: reason ?? false }, async (t) => {
  await shell(`mkdir -p /opt/holdfast && mount --bind ${ROOT} /opt/holdfast`);

  await t.test('as nobody in the hardened unit: reloads, restarts and kills under load', async (t) => {
    const port = await freePort();
    await install(t, 'shop', ['--user', 'nobody', '-i', '2', '--env', `PORT=${port}`]);
    await systemctl('start', 'shop');
    t.match(await show('shop', 'StatusText'), /^2 workers ready, generation 1$/);
    t.equal(await show('shop', 'NFileDescriptorStore'), '2');

    let load = new Load({ port, fresh: 8, keepAlive: 8 });
    t.teardown(() => load.stop());
    for (let i = 0; i < 10; i++) await systemctl('reload', 'shop');
    await load.stop();
    t.same(load.errors, {}, `10 reloads: ${load.summary()}`);
    t.match(
      await show('shop', 'StatusText'),
      /^2 workers ready, generation 11$/,
      'a reload ends when its rollout does',
    );

    load = new Load({ port, fresh: 8, keepAlive: 8 });
    const env = ['env', 'HOLDFAST_RUNTIME_DIR=/run/holdfast-shop'];
    // A socket that goes changes the index of another one, which leaves the store for a moment then: its number alone tells nothing.
    const bound = async () => {
      const { stdout } = await inside([...env, node, HOLDFAST, 'status', '--json']);
      return String((JSON.parse(stdout) as { addresses: { sockets: unknown[] }[] }).addresses[0]?.sockets.length);
    };
    for (const size of ['4', '2']) {
      t.equal((await inside([...env, node, HOLDFAST, 'scale', size])).code, 0);
      await until(
        `${size} sockets are bound, and in the store`,
        async () => (await bound()) === size && (await show('shop', 'NFileDescriptorStore')) === size,
      );
    }
    await load.stop();
    t.same(load.errors, {}, `retired sockets leave the store first: ${load.summary()}`);

    load = new Load({ port, fresh: 8, keepAlive: 8 });
    for (let i = 0; i < 5; i++) await systemctl('restart', 'shop');
    await delay(300);
    await load.stop();
    t.same(load.errors, {}, `5 restarts: ${load.summary()}`);

    const workers = async () => {
      const { stdout } = await inside([...env, node, HOLDFAST, 'status', '--json']);
      const { workers } = JSON.parse(stdout) as { workers: { pid: number }[] };
      return workers.map(({ pid }) => pid).sort((a, b) => a - b);
    };
    const before = await workers();
    load = new Load({ port, fresh: 8, keepAlive: 8 });
    for (let i = 0; i < 5; i++) {
      const pid = await show('shop', 'MainPID');
      await inside(['kill', '-9', pid]);
      await until('another one is up', async () => (await show('shop', 'MainPID')) !== pid);
      await isUp('shop');
    }
    await delay(300);
    await load.stop();
    t.same(load.errors, {}, `5 kills: ${load.summary()}`);
    t.same(await workers(), before, 'the workers serve on');
    t.ok(load.answers.length > 500, `${load.answers.length} answers`);
    t.equal(await show('shop', 'NFileDescriptorStore'), '2', 'nothing is left in the store');

    load = new Load({ port, fresh: 8, keepAlive: 8 });
    const pid = await show('shop', 'MainPID');
    for (let i = 0; i < 3; i++) {
      const { code, stderr } = await inside([...env, node, HOLDFAST, 'upgrade']);
      t.equal(code, 0, stderr);
      t.match(await show('shop', 'StatusText'), /^2 workers ready/);
    }
    t.same(await workers(), before, 'and go on with what takes the place of their supervisor');
    t.equal(await show('shop', 'MainPID'), pid);
    await systemctl('reload', 'shop');
    t.equal(await show('shop', 'MainPID'), pid);
    await load.stop();
    t.same(load.errors, {}, `3 upgrades and a reload: ${load.summary()}`);
    t.equal(await show('shop', 'NFileDescriptorStore'), '2', 'each is once in the store');
    before.push(...(await workers()));
    await systemctl('stop', 'shop');
    for (const pid of before) t.not((await inside(['test', '-d', `/proc/${pid}`])).code, 0, 'a stop ends them');
  });

  await t.test('unit --install has it run at once and at boot, --uninstall leaves nothing of it', async (t) => {
    const port = await freePort();
    const unit = (...words: string[]) => inside([node, HOLDFAST, 'unit', ...words, '--yes']);
    const words = ['--name', 'set-up', '--user', 'nobody', '--env', `PORT=${port}`];
    const installed = await unit(`${APPS}/busy.cjs`, ...words, '--install');
    t.match(installed, { code: 0, stdout: /^set-up: installed, enabled and started\n/ }, installed.stderr);
    t.equal(await show('set-up', 'ActiveState'), 'active');
    t.equal(await show('set-up', 'UnitFileState'), 'enabled');
    t.match(await show('set-up', 'StatusText'), /^1 worker ready/);
    t.match(await unit('--name', 'set-up', '--uninstall'), { code: 0, stdout: 'set-up: stopped and removed\n' });
    t.equal(await show('set-up', 'LoadState'), 'not-found');

    const broken = await unit(
      `${APPS}/busy.cjs`,
      ...words,
      '--log-level',
      'info',
      '--ready',
      'message',
      '--ready-timeout',
      '1s',
      '--install',
    );
    t.match(broken, {
      code: 1,
      stderr: /^holdfast: cannot run systemctl start set-up\.service: .*\n {2}its last words: journalctl/m,
    });
    t.equal((await unit('--name', 'set-up', '--uninstall')).code, 0);
  });

  await t.test('a release that is rolled back is to be seen, and the service goes on', async (t) => {
    const port = await freePort();
    await shell('mkdir -p /srv/tried && cp /opt/holdfast/test/fixtures/apps/busy.cjs /srv/tried/app.cjs');
    const more = `ExecStart=\nExecStart=${node} ${HOLDFAST} start /srv/tried/app.cjs --name tried -i 1 --env PORT=${port}\n`;
    await install(t, 'tried', ['--user', 'nobody'], more);
    await systemctl('start', 'tried');
    await shell('echo "throw new Error(\'not today\')" > /srv/tried/app.cjs');
    await inside(['systemctl', 'reload', 'tried']);
    t.match(await show('tried', 'StatusText'), /^1 worker ready, generation 1; generation 2 was rolled back: /);
    t.equal(await show('tried', 'ActiveState'), 'active');
    const { stdout } = await inside(['journalctl', '-u', 'tried', '-o', 'json', '--no-pager']);
    const entries = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, string>);
    // What the supervisor says of it has its words, too, and may come before the worker's output is all read.
    const error = entries.find(
      ({ HOLDFAST_SLOT, MESSAGE }) => HOLDFAST_SLOT === '0' && /Error: not today/.test(MESSAGE ?? ''),
    );
    t.match(error, { PRIORITY: '4', HOLDFAST_GENERATION: '2', SYSLOG_IDENTIFIER: 'tried' });
    t.match(error?.MESSAGE, /\n {4}at /, 'its stack is in the same entry');
    t.match(
      entries.find(({ MESSAGE }) => MESSAGE?.startsWith('rollback started')),
      { PRIORITY: /[34]/ },
    );
  });

  await t.test('the first connection comes before the service is up, and is answered', async (t) => {
    const port = await freePort();
    const other = await freePort();
    for (const [user, reusePort] of [
      ['nobody', false],
      ['root', true],
    ] as const) {
      const name = `early-${user}`;
      // By address, not by place: the first is that of nobody.
      const sockets = [`127.0.0.1:${other}`, `127.0.0.1:${port}`].flatMap((address) => ['--socket', address]);
      await install(t, name, ['--user', user, '-i', '2', '--env', `PORT=${port}`, ...sockets]);
      await systemctl('start', `${name}.socket`);
      t.equal(await show(name, 'ActiveState'), 'inactive');
      const load = new Load({ port, fresh: 4, keepAlive: 4 });
      const serving = () => new Set(load.answers.map(({ pid }) => pid)).size;
      // The second one comes up when it does: the first hundred answers may all be of the first.
      await until(
        'both workers have answered',
        async () => (load.answers.length > 100 && serving() === 2) || Object.keys(load.errors).length > 0,
      );
      await systemctl('restart', name);
      await load.stop();
      t.same(load.errors, {}, `${user}: ${load.summary()}`);
      t.equal(await show(`${name}.socket`, 'ReusePort'), reusePort ? 'yes' : 'no');
      const { stdout } = await inside(['journalctl', '-u', name, '-o', 'cat', '--no-pager']);
      const warning = stdout.split('\n').find((line) => line.startsWith('nobody listens on a socket that was passed'));
      t.match(warning, `address=127.0.0.1:${other}`);
      await systemctl('stop', `${name}.socket`, name);
    }
  });

  await t.test('unix sockets and datagrams wait in the store while the supervisor is started again', async (t) => {
    const port = await freePort();
    const socket = '/run/holdfast-other/app.sock';
    const env = ['--env', `UDP_PORT=${port}`, '--env', `SOCKET=${socket}`];
    await install(t, 'other', ['--user', 'nobody', '-i', '2', ...env], '', 'passed');
    await systemctl('start', 'other');
    t.equal(await show('other', 'NFileDescriptorStore'), '2');
    await keptOver(t, 'other', socket, port);
    t.equal(await show('other', 'NFileDescriptorStore'), '2', 'nothing more is in the store');
    await systemctl('stop', 'other');
    await systemctl('start', 'other');
    t.match(await show('other', 'StatusText'), /^2 workers ready/, 'what a stop leaves is in nobody’s way');
  });

  await t.test('a unix socket and datagrams of a socket unit: what comes before the service is answered', async (t) => {
    const port = await freePort();
    const socket = '/run/early.sock';
    const env = ['--env', `UDP_PORT=${port}`, '--env', `SOCKET=${socket}`];
    const sockets = ['--socket', socket, '--socket', `udp:127.0.0.1:${port}`];
    await install(t, 'units', ['--user', 'nobody', '-i', '2', ...env, ...sockets], '', 'passed');
    await systemctl('start', 'units.socket');
    t.equal(await show('units', 'ActiveState'), 'inactive');
    t.match(await (await udpAsker(t, port))('early'), /^\d+ early$/, 'a datagram has started it');
    await keptOver(t, 'units', socket, port);
    t.equal(await show('units', 'NFileDescriptorStore'), '0', 'they are systemd’s own');
    await systemctl('stop', 'units.socket', 'units');
  });

  await t.test('without koffi systemd-notify tells systemd', async (t) => {
    const port = await freePort();
    const more = 'InaccessiblePaths=/opt/holdfast/node_modules/koffi\nNotifyAccess=all\n';
    await install(t, 'plain', ['--user', 'nobody', '-i', '2', '--env', `PORT=${port}`], more);
    await systemctl('start', 'plain');
    await until('the status is told', async () => /^2 workers ready/.test(await show('plain', 'StatusText')));
    await systemctl('reload', 'plain');
    await until('it is reloaded', async () => /generation 2$/.test(await show('plain', 'StatusText')));
    const env = ['env', 'HOLDFAST_RUNTIME_DIR=/run/holdfast-plain'];
    const upgraded = await inside([...env, node, HOLDFAST, 'upgrade']);
    t.match(upgraded, { code: 1, stderr: /cannot upgrade plain: koffi cannot be loaded/ });
    const { stdout } = await inside(['journalctl', '-u', 'plain', '-o', 'json', '--no-pager']);
    t.match(stdout, /"PRIORITY":"6"/);
    t.match(stdout, /koffi cannot be loaded/);
  });

  await t.test('a supervisor that is frozen is replaced', async (t) => {
    const port = await freePort();
    await install(t, 'frozen', ['--user', 'nobody', '-i', '1', '--env', `PORT=${port}`], 'WatchdogSec=2\n');
    await systemctl('start', 'frozen');
    const pid = await show('frozen', 'MainPID');
    await delay(3_000);
    t.equal(await show('frozen', 'MainPID'), pid, 'it gives signs of life');
    await inside(['kill', '-STOP', pid]);
    await until('another one', async () => ![pid, '0'].includes(await show('frozen', 'MainPID')));
    await isUp('frozen');
    t.equal(await show('frozen', 'NRestarts'), '1');
  });

  await t.test('a slow start and a slow drain are given their time', async (t) => {
    const port = await freePort();
    const app = `setTimeout(() => require('node:http').createServer((request, response) => {
      setTimeout(() => response.end('late'), 7500);
    }).listen(${port}, '127.0.0.1'), 7500);`;
    await shell('mkdir -p /srv/slow && cat > /srv/slow/app.cjs', app);
    // Long enough for a busy machine to boot Node, which asks for more time.
    const limits = 'TimeoutStartSec=5\nTimeoutStopSec=5\nExecStart=\n';
    const more = `${limits}ExecStart=${node} ${HOLDFAST} start /srv/slow/app.cjs --name slow -i 1\n`;
    await install(t, 'slow', ['--user', 'nobody'], more);
    await systemctl('start', 'slow');
    const answered = fetch(`http://127.0.0.1:${port}/`).then((answer) => answer.text());
    await until('it is in the worker', async () => (await inside(['ss', '-Htn', `dport = :${port}`])).stdout !== '');
    await delay(200);
    await systemctl('stop', 'slow');
    t.equal(await answered, 'late');
    t.equal(await show('slow', 'Result'), 'success');
  });

  await t.test('a start that fails says why', async (t) => {
    const port = await freePort();
    const owner = net.createServer().listen(port, '127.0.0.1');
    t.teardown(() => owner.close());
    await install(t, 'failing', ['--user', 'nobody', '--env', `PORT=${port}`], 'Restart=no\n');
    t.not((await inside(['systemctl', 'start', 'failing'])).code, 0);
    t.match(await show('failing', 'StatusText'), /^cannot start .*already in use/);
    t.equal(await show('failing', 'StatusErrno'), '98');
  });
});
