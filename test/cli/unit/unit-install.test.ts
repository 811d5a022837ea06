import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { holdfast } from '../support/command-line.js';

/** Without the warning that is there where this checkout is in the folder for temporary files. */
function wherever<T extends { readonly stderr: string }>(outcome: T): T {
  return {
    ...outcome,
    stderr: outcome.stderr.replaceAll(/^holdfast: warning: it needs .* may go at any time\n/gm, ''),
  };
}

/** A folder for units, an application, and a systemctl that writes down what it is told. */
function makePlace(t: Test, systemctl = 'exit 0') {
  const folder = t.testdir({ 'app.js': '', units: {}, bin: { systemctl: '' } });
  const file = path.join(folder, 'bin/systemctl');
  const told = path.join(folder, 'told');
  writeFileSync(
    file,
    `#!/bin/sh\n[ "$1" = --version ] && { echo 'systemd 254 (254)'; exit 0; }\necho "$@" >> ${told}\n${systemctl}\n`,
  );
  chmodSync(file, 0o755);
  const units = path.join(folder, 'units');
  const run = async (words: readonly string[], more: { confirm?: (question: string) => Promise<boolean> } = {}) =>
    wherever(
      await holdfast(['unit', ...words, '--output', units], {
        cwd: folder,
        env: { PATH: `${path.join(folder, 'bin')}:${process.env.PATH}` },
        ...more,
      }),
    );
  return {
    run,
    unit: (name: string) => path.join(units, name),
    told: () => (existsSync(told) ? readFileSync(told, 'utf8').trimEnd().split('\n') : []),
  };
}

const INSTALL = ['app.js', '--name', 'shop', '--user', 'daemon', '--install'];
const UNINSTALL = ['--name', 'shop', '--uninstall'];

t.test('writes the unit, and has systemd load, enable and start it', async (t) => {
  const { run, unit, told } = makePlace(t);
  const { code, stdout, stderr } = await run([...INSTALL, '--yes']);
  t.equal(code, 0, stderr);
  t.match(readFileSync(unit('shop.service'), 'utf8'), /ExecStart=.*--name=shop/);
  t.same(told(), ['daemon-reload', 'enable shop.service', 'start shop.service']);
  t.match(stdout, /^shop: installed, enabled and started\n {2}look +systemctl status shop\n/);

  const again = await run([...INSTALL, '--yes']);
  t.equal(again.code, 1, 'what is there is not written over');
  t.match(again.stderr, /it exists already/);
  t.equal(told().length, 3);

  const gone = await run([...UNINSTALL, '--yes']);
  t.match(gone, { code: 0, stdout: 'shop: stopped and removed\n' });
  t.same(told().slice(3), ['stop shop.service', 'disable shop.service', 'daemon-reload']);
  t.notOk(existsSync(unit('shop.service')));
});

t.test('a socket goes with its service', async (t) => {
  const { run, unit, told } = makePlace(t);
  t.equal((await run([...INSTALL, '--socket', '8080', '-y'])).code, 0);
  t.same(told(), ['daemon-reload', 'enable shop.service shop.socket', 'start shop.service shop.socket']);
  t.equal((await run([...UNINSTALL, '-y'])).code, 0);
  t.same(told().slice(3), ['stop shop.socket shop.service', 'disable shop.socket shop.service', 'daemon-reload']);
  t.notOk(existsSync(unit('shop.socket')));
});

t.test('several applications of one file have a unit each', async (t) => {
  const { run, unit, told } = makePlace(t);
  const text =
    "module.exports = { apps: ['api', 'bot'].map((name) => ({ name, script: 'app.js', env_test: { A: 1 }, out_file: 'logs/out.log' })) }";
  writeFileSync(path.join(t.testdirName, 'ecosystem.config.cjs'), text);
  const all = ['ecosystem.config.cjs', '--user', 'daemon', '--env', 'test'];
  const { code, stdout, stderr } = await run([...all, '--install', '--yes']);
  t.equal(code, 0, stderr);
  for (const name of ['api', 'bot']) {
    t.match(
      readFileSync(unit(`${name}.service`), 'utf8'),
      new RegExp(`--name=${name} --only=${name} --env=test$`, 'm'),
    );
    t.match(stdout, new RegExp(`^${name}: installed, enabled and started$`, 'm'));
  }
  t.same(told(), ['daemon-reload', 'enable api.service bot.service', 'start api.service bot.service']);
  t.equal((await run([...all, '--uninstall', '--yes'])).code, 0);
  t.notOk(existsSync(unit('api.service')) || existsSync(unit('bot.service')));
  t.match(await run([...all, '--socket', '80']), {
    code: 2,
    stderr: /it is for a file with one application\n {2}.*--only: api, bot/,
  });
  const dynamic = await run([...all, '--user', 'dynamic', '--only', 'bot', '--install']);
  t.match(dynamic.stderr, /^holdfast: warning: a user of its own cannot write .*\/logs\/out\.log: .*--user/);
  t.match(await run([...all, '--name', 'x']), { code: 2, stderr: /--name .*--only/ });
});

t.test('asks before, and does nothing without a yes', async (t) => {
  const { run, unit, told } = makePlace(t);
  const asked: string[] = [];
  const answer = (yes: boolean) => async (question: string) => {
    asked.push(question);
    return yes;
  };
  t.match(await run(INSTALL, { confirm: answer(false) }), { code: 1, stdout: '', stderr: /the answer was no\n/ });
  t.match(await run(INSTALL), { code: 2, stderr: /there is no terminal\n.*--yes/ });
  t.notOk(existsSync(unit('shop.service')));
  t.same(told(), []);
  t.equal((await run(INSTALL, { confirm: answer(true) })).code, 0);
  t.equal((await run(UNINSTALL, { confirm: answer(false) })).code, 1);
  t.ok(existsSync(unit('shop.service')));
  t.match(asked, [/^Write shop\.service to .*start now and at boot\?$/, /./, /^Stop shop\.service and remove .*\?$/]);
});

t.test('what systemd says against it is told, with the next step', async (t) => {
  const { run, unit } = makePlace(
    t,
    '[ "$1" = start ] && { echo "Job for shop.service failed." >&2; exit 1; }; exit 0',
  );
  const { code, stderr } = await run([...INSTALL, '--yes']);
  t.equal(code, 1);
  t.match(
    stderr,
    /^holdfast: cannot run systemctl start shop\.service: Job for shop\.service failed\.\n {2}its last words: journalctl -u shop .*\n.*--uninstall\n$/,
  );
  t.ok(existsSync(unit('shop.service')), 'it can be looked at');
});

t.test('a template is loaded, and nothing is started', async (t) => {
  const { run, told } = makePlace(t);
  t.match(await run(['--template', '--install', '--yes']), { code: 0, stdout: /enable --now holdfast@NAME/ });
  t.same(told(), ['daemon-reload']);
});

t.test('removes nothing that it has not made, and says what is not there', async (t) => {
  const { run, unit, told } = makePlace(t);
  t.match(await run([...UNINSTALL, '--yes']), { code: 1, stderr: /there is no shop\.service in / });
  writeFileSync(unit('shop.service'), '[Service]\nExecStart=/bin/true\n');
  t.match(await run([...UNINSTALL, '--yes']), { code: 1, stderr: /holdfast unit did not write it/ });
  t.ok(existsSync(unit('shop.service')));
  t.same(told(), []);
  t.match(await run(['--uninstall', '--yes']), { code: 2, stderr: /no name given/ });
  t.match(await run(['--name', '../x', '--uninstall', '--yes']), { code: 2 });
  t.match(await run([...INSTALL, '--uninstall']), { code: 2, stderr: /at once/ });
  t.match(await run(['app.js', '--yes']), { code: 2, stderr: /nothing is asked/ });
});

t.test('a folder that cannot be written to is told before anybody is asked', async (t) => {
  const { code, stderr } = wherever(
    await holdfast(['unit', 'app.js', '--name', 'shop', '--install', '--output', 'none'], {
      cwd: t.testdir({ 'app.js': '' }),
      confirm: async () => t.fail('asked'),
    }),
  );
  t.equal(code, 1);
  t.match(
    stderr,
    /^holdfast: cannot install shop\.service: .*ENOENT\n {2}the folder does not exist: is systemd installed\?/,
  );
});
