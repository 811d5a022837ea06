import { mkdirSync, readdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { systemdVersion } from '../../src/platform/installation.js';
import { holdfast } from './support/command-line.js';

/** A release with a script and a configuration, and the link that leads to it. */
function makeShop(t: Test) {
  const folder = realpathSync(t.testdir({ release: { 'app.js': '' } }));
  const release = path.join(folder, 'release');
  writeFileSync(path.join(release, 'shop.yaml'), 'name: shop\nscript: app.js\ndrainTimeout: 90s\nkillTimeout: 10s\n');
  symlinkSync('release', path.join(folder, 'current'));
  mkdirSync(path.join(folder, 'units'));
  return { folder, release, current: path.join(folder, 'current'), units: path.join(folder, 'units') };
}

const FOR_254 = ['--systemd-version', '254', '--user', 'daemon'];

t.test('prints a service with absolute paths that starts what was asked for', async (t) => {
  const { release } = makeShop(t);
  const words = ['unit', 'app.js', '-i', '3', '--name', 'shop', ...FOR_254, '--', '--port', '$PORT'];
  const { code, stdout } = await holdfast(words, { cwd: release });
  t.equal(code, 0);
  t.match(stdout, /^# \/etc\/systemd\/system\/shop\.service\n/);
  const [, start = ''] = /^ExecStart=(.*)$/m.exec(stdout) ?? [];
  t.match(start, `bin/holdfast.js start ${release}/app.js --name=shop --instances=3 -- --port "$$PORT"`);
  for (const word of start.split(' ').slice(0, 2)) t.ok(path.isAbsolute(word), word);
  t.match(stdout, `\nWorkingDirectory=${release}\n`);
  t.match(stdout, /\nUser=daemon\n/);
  t.notMatch(stdout, /\nGroup=/);
});

t.test('the folder in which the administrator happens to be is of no account', async (t) => {
  const { release, folder } = makeShop(t);
  const elsewhere = { cwd: path.join(folder, 'units') };
  for (const target of ['app.js', 'shop.yaml']) {
    const flags = ['--log-level', 'warn', '--log-file', 'shop.log'];
    const { stdout } = await holdfast(['unit', `../release/${target}`, ...flags, ...FOR_254], elsewhere);
    t.match(stdout, `\nWorkingDirectory=${release}\n`);
    t.match(stdout, ` --log-level=warn --log-file=${folder}/units/shop.log\n`);
    t.match(stdout, `\nReadWritePaths=-${folder}/units\n`);
  }
  const { stdout } = await holdfast(['unit', 'release/app.js', ...FOR_254], { cwd: folder });
  t.match(stdout, `\nWorkingDirectory=${folder}\n`, 'as start has it');
});

t.test('a command, a folder and the program of a package are started as they are given', async (t) => {
  const { release } = makeShop(t);
  const manifest = { scripts: { start: 'node app.js --port 80' } };
  writeFileSync(path.join(release, 'package.json'), JSON.stringify(manifest));
  mkdirSync(path.join(release, 'node_modules/.bin'), { recursive: true });
  symlinkSync('../../app.js', path.join(release, 'node_modules/.bin/shop'));
  for (const [target, word] of [
    ['npm start', '"npm start"'],
    ['.', release],
    ['shop', 'shop'],
  ] as const) {
    const { code, stdout, stderr } = await holdfast(['unit', target, ...FOR_254], { cwd: release });
    t.equal(code, 0, stderr);
    t.match(stdout, `bin/holdfast.js start ${word} --name=`);
    t.match(stdout, `\nWorkingDirectory=${release}\n`);
  }
});

t.test('a program that is not Node is named behind the dashes, and may bind what it listens on', async (t) => {
  const { release } = makeShop(t);
  writeFileSync(path.join(release, 'serve'), '#!/bin/sh\n', { mode: 0o755 });
  const words = ['unit', '--exec', '--listen', '80', ...FOR_254, '--', './serve', '-v'];
  const { code, stdout, stderr } = await holdfast(words, { cwd: release });
  t.equal(code, 0, stderr);
  t.match(stdout, /bin\/holdfast\.js start --name=serve --exec --listen=80 -- \.\/serve -v\n/);
  t.match(stdout, `\nWorkingDirectory=${release}\n`);
  t.match(stdout, /\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n/);
  t.equal((await holdfast(['unit', '--exec', ...FOR_254], { cwd: release })).code, 2);
});

t.test('goes by the link that a deployment moves', async (t) => {
  const { current, release } = makeShop(t);
  const { stdout } = await holdfast(['unit', 'app.js', ...FOR_254], { cwd: release, env: { PWD: current } });
  t.match(stdout, `start ${current}/app.js`);
  t.match(stdout, `\nWorkingDirectory=${current}\nEnvironment=PWD=${current}\n`);
});

t.test('takes its times from the configuration, and nothing from the environment of the shell', async (t) => {
  const { release, folder } = makeShop(t);
  const { stdout } = await holdfast(['unit', 'release/shop.yaml', ...FOR_254], {
    cwd: folder,
    env: { HOLDFAST_DRAIN_TIMEOUT: '1s', HOLDFAST_NAME: 'other' },
  });
  t.match(stdout, `start ${release}/shop.yaml --name=shop\n`);
  t.match(stdout, `\nWorkingDirectory=${release}\n`);
  t.match(stdout, /\nTimeoutStopSec=140\n/);
});

t.test('with --socket the socket unit comes second', async (t) => {
  const { release } = makeShop(t);
  const sockets = ['--socket', '80', '--socket', '127.0.0.1:8080', '--socket', '[::1]:8080', '--socket', '*:81'];
  const { stdout } = await holdfast(['unit', 'shop.yaml', ...FOR_254, ...sockets], { cwd: release });
  t.match(stdout, /\n# \/etc\/systemd\/system\/shop\.socket\n/);
  t.match(stdout, '\nListenStream=80\nListenStream=127.0.0.1:8080\nListenStream=[::1]:8080\nListenStream=81\n');
  t.match(stdout, /\nCapabilityBoundingSet=\n/, 'systemd binds the port');
  const others = ['/run/a b%c.sock', '@shop', 'udp:53', 'udp:*:54', 'udp:127.0.0.1:53', 'udp:[::]:53'];
  const words = others.flatMap((address) => ['--socket', address]);
  const { stdout: written } = await holdfast(['unit', 'shop.yaml', ...FOR_254, ...words], { cwd: release });
  t.match(
    written,
    '\nListenStream=/run/a b%%c.sock\nListenStream=@shop\nListenDatagram=0.0.0.0:53\nListenDatagram=0.0.0.0:54\n',
  );
  t.match(written, '\nListenDatagram=127.0.0.1:53\nListenDatagram=[::]:53\n');
});

t.test('an application whose PORT is below 1024 may bind it', async (t) => {
  const { release } = makeShop(t);
  const { stdout } = await holdfast(['unit', 'app.js', '--env', 'PORT=443', ...FOR_254], { cwd: release });
  t.match(stdout, /\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n/);
});

t.test('the owner of the script runs it, and where that is root a user who owns nothing', async (t) => {
  const { release } = makeShop(t);
  const { stdout } = await holdfast(['unit', 'app.js', '--name', 'Web.Shop', '--systemd-version', '254'], {
    cwd: release,
  });
  if (process.getuid?.() === 0) t.match(stdout, /\nUser=holdfast-web-shop\nDynamicUser=yes\n/);
  else t.notMatch(stdout, /\nUser=root|DynamicUser/);
  const chosen = await holdfast(['unit', 'app.js', '--user', 'root', '--systemd-version', '254'], { cwd: release });
  t.match(chosen.stdout, /\nUser=root\n/);
  t.match(chosen.stderr, /runs as root/);
});

t.test('--output writes all files or none, and nothing over another', async (t) => {
  const { release, units } = makeShop(t);
  const words = ['unit', 'shop.yaml', ...FOR_254, '--output', units];
  t.match(await holdfast(words, { cwd: release }), { code: 0, stdout: /shop\.service\n/ });
  t.match(readFileSync(path.join(units, 'shop.service'), 'utf8'), /\[Service\]/);
  const again = await holdfast([...words, '--socket', '80'], { cwd: release });
  t.match(again, { code: 1, stdout: '', stderr: /cannot write .*shop\.service: it exists already/ });
  t.same(readdirSync(units), ['shop.service']);
  const missing = await holdfast(['unit', 'shop.yaml', ...FOR_254, '--output', `${units}/no`], { cwd: release });
  t.match(missing, { code: 1, stderr: /cannot write .*: ENOENT/ });
});

t.test('wrong use ends with 2 and says what would be right', async (t) => {
  const { release } = makeShop(t);
  const wrong: [string[], RegExp][] = [
    [[], /no script or configuration file given/],
    [['no.js'], /no\.js/],
    [['app.js', '--socket', 'example.org:80'], /cannot use --socket example\.org:80/],
    [['app.js', '--socket', '::1:80'], /cannot use --socket/],
    [['app.js', '--socket', '70000'], /cannot use --socket 70000/],
    [['app.js', '--socket', 'run/shop.sock'], /cannot use --socket/],
    [['app.js', '--socket', '/run/'], /cannot use --socket/],
    [['app.js', '--socket', `/run/${'a'.repeat(103)}`], /the path of a socket is too long/],
    [['app.js', '--socket', 'udp:'], /cannot use --socket/],
    [['app.js', '--socket', 'udp:/run/shop.sock'], /cannot use --socket/],
    [['app.js', '--user', 'a b'], /cannot use --user a b/],
    [['app.js', '--systemd-version', 'new'], /cannot use --systemd-version new/],
    [['app.js', '--systemd-version', '234', '--user', 'dynamic'], /has no DynamicUser/],
    [['app.js', '--template'], /a template is the same/],
    [['--template', '--user', 'x'], /a template is the same/],
  ];
  for (const [words, stderr] of wrong) {
    t.match(await holdfast(['unit', ...words], { cwd: release }), { code: 2, stdout: '', stderr }, words.join(' '));
  }
});

t.test('the template needs no application', async (t) => {
  const { code, stdout } = await holdfast(['unit', '--template']);
  t.equal(code, 0);
  t.match(stdout, /^# \/etc\/systemd\/system\/holdfast@\.service\n/);
});

t.test('the version of systemd is the number that it tells', async (t) => {
  const asks = (answers: Record<string, string>) => async (program: string) => {
    const answer = answers[program];
    if (answer === undefined) throw new Error('ENOENT');
    return answer;
  };
  t.equal(await systemdVersion(asks({ systemctl: 'systemd 254 (254.26-1~bpo12+1)\n+PAM +AUDIT' })), 254);
  t.equal(await systemdVersion(asks({ systemd: 'systemd 239\n' })), 239);
  t.equal(await systemdVersion(asks({ systemctl: 'something else' })), null);
  t.equal(await systemdVersion(asks({})), null);
});
