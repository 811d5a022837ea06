import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadConfig, logicalCwd } from '../../../src/config/load.js';
import { stripsTypes, typesFault } from '../../../src/config/program/script.js';
import { faultsOf, sourceIn } from '../support.js';

t.test('a script may be named without its extension, and keeps its spelling otherwise', async (t) => {
  const cwd = t.testdir({
    'app.js': '',
    'b.mjs': '',
    'c.cjs': '',
    'd.ts': '',
    app: { 'index.js': '' },
    bare: '#!',
    sub: { 'e.js': '' },
  });
  const table: [string, string][] = [
    ['app.js', 'app.js'],
    ['app', 'app.js'],
    ['./b', './b.mjs'],
    ['c', 'c.cjs'],
    ['d', 'd.ts'],
    ['bare', 'bare'],
    ['sub/../sub/e', 'sub/../sub/e.js'],
    [join(cwd, 'app'), join(cwd, 'app.js')],
  ];
  for (const [target, script] of table) {
    // What Node 20 lacks is not this test's subject.
    const flags = { nodeArgs: '--import=tsx' };
    t.match((await loadConfig(sourceIn(cwd, { target, flags }))).config, { script, cwd }, target);
  }
});

t.test('a script that is not there is named by its whole path, with the one that is probably meant', async (t) => {
  const cwd = t.testdir({ 'apps.js': '', 'zebra.txt': '' });
  const [fault, ...others] = await faultsOf(sourceIn(cwd, { target: 'app.js' }));
  t.match(fault, { source: 'command line', path: 'script', value: '"app.js"' });
  t.equal(fault?.allowed, `must be an existing file; there is no ${join(cwd, 'app.js')}; did you mean "apps.js"?`);
  t.strictSame(others, []);
  t.match(await faultsOf(sourceIn(cwd, { target: 'qwertz.js' })), [{ allowed: /no \S+qwertz\.js$/ }]);
  t.match(await faultsOf(sourceIn(cwd, { target: 'x/y/app.js' })), [{ allowed: `no folder ${join(cwd, 'x/y')}` }]);
});

t.test('a folder without an entry is no script, but one that looks like it is named', async (t) => {
  const cwd = t.testdir({
    gone: { 'package.json': '{"main": "lib/start.js"}', 'index.mjs': '' },
    odd: { 'package.json': '{"main": 7}', 'app.ts': '' },
    nothing: {},
    broken: { 'package.json': '{', 'server.js': '' },
    list: { 'package.json': '[]' },
  });
  const table: [string, RegExp][] = [
    ['./gone/', /is a folder without an entry in its package\.json; did you mean "gone\/index\.mjs"\?$/],
    ['odd', /did you mean "odd\/app\.ts"\?$/],
    ['nothing', /nothing is a folder without an entry in its package\.json$/],
    ['.', /is a folder without an entry in its package\.json$/],
    ['broken', /must have a package\.json that is JSON; \S+broken\/package\.json is not$/],
    ['list', /must have a package\.json with an object/],
  ];
  for (const [target, allowed] of table) t.match(await faultsOf(sourceIn(cwd, { target })), [{ allowed }], target);
});

t.test('TypeScript needs a Node that strips types, or something that is loaded for it', async (t) => {
  const hint = /npm install tsx, and add --node-args=--import=tsx$/;
  t.match(typesFault('app.ts', [], false), hint);
  t.match(typesFault('lib/app.mts', ['--max-old-space-size=512', '--enable-source-maps'], false), hint);
  t.equal(typesFault('app.ts', [], true), null);
  t.equal(typesFault('app.js', [], false), null);
  for (const options of [['--import=tsx'], ['-r', 'ts-node/register'], ['', '--foo --experimental-strip-types']]) {
    t.equal(typesFault('app.ts', options, false), null, options.join(' '));
  }
  const cwd = t.testdir({ 'app.ts': '' });
  if (stripsTypes()) t.match((await loadConfig(sourceIn(cwd, { target: 'app' }))).config, { script: 'app.ts' });
  else t.match(await faultsOf(sourceIn(cwd, { target: 'app' })), [{ path: 'script', allowed: hint }]);
});

t.test('without a script, the way to give one is told', async (t) => {
  const cwd = t.testdir({ 'app.js': '', 'x.yaml': 'name: x', 'bad.yaml': 'script: [app.js]' });
  t.match(await faultsOf(sourceIn(cwd)), [{ path: 'script', allowed: 'holdfast start app.js' }]);
  t.match(await faultsOf(sourceIn(cwd, { target: '' })), [{ path: 'script', allowed: 'holdfast start app.js' }]);
  t.match(await faultsOf(sourceIn(cwd, { target: 'x.yaml' })), [
    { source: join(cwd, 'x.yaml'), allowed: 'script: app.js' },
  ]);
  const faults = await faultsOf(sourceIn(cwd, { target: 'bad.yaml' }));
  t.strictSame(
    faults.map(({ value }) => value),
    ['a list'],
    'a script of the wrong kind is not missing as well',
  );
  t.match((await loadConfig(sourceIn(cwd, { flags: { script: 'app' } }))).config, { script: 'app.js' });
  t.match(await faultsOf(sourceIn(cwd, { target: 'app.js', flags: { script: 'b.js' } })), [
    { allowed: 'with --script' },
  ]);
});

t.test('a working folder that is none is the only fault, not also the script that is not in it', async (t) => {
  const cwd = t.testdir({ 'app.js': '', apps: {} });
  const load = (flags: object) => faultsOf(sourceIn(cwd, { target: 'app.js', flags: { ...flags } }));
  const table: [unknown, string | null, string][] = [
    ['app', '"app"', `must be an existing folder; there is no ${join(cwd, 'app')}; did you mean "apps"?`],
    ['app.js', '"app.js"', `must be a folder; ${join(cwd, 'app.js')} is not`],
    ['', '""', 'must be the path of a folder'],
    [['a', 'b'], null, 'must be given once'],
  ];
  for (const [given, value, allowed] of table) {
    t.strictSame(await load({ cwd: given }), [{ source: 'command line', path: '--cwd', value, allowed }]);
  }
});

t.test('a file of variables that cannot be read is a fault', async (t) => {
  const cwd = t.testdir({ 'app.js': '', '.envs': 'A=1', folder: {} });
  const load = (envFile: string) => faultsOf(sourceIn(cwd, { target: 'app.js', env: { HOLDFAST_ENV_FILE: envFile } }));
  const allowed = `must be an existing file; there is no ${join(cwd, '.env')}; did you mean ".envs"?`;
  t.strictSame(await load('.env'), [{ source: 'environment', path: 'HOLDFAST_ENV_FILE', value: '".env"', allowed }]);
  t.match(await load('folder'), [{ allowed: 'is a folder' }]);
  t.match(await load('/dev/null'), [{ allowed: 'must be a regular file' }]);
});

t.test('a script that the system does not give is a fault with its code', async (t) => {
  const cwd = t.testdir({ 'app.js': t.fixture('symlink', 'app.js') });
  t.match(await faultsOf(sourceIn(cwd, { target: 'app.js' })), [
    { allowed: `must be a readable file; ${join(cwd, 'app.js')}: ELOOP` },
  ]);
  t.match(await faultsOf(sourceIn(cwd, { target: '/dev/null' })), [{ allowed: 'must be a file; /dev/null is not' }]);
});

t.test('the current folder is the one that the shell names, if it is the same', async (t) => {
  const physical = realpathSync(t.testdir({ real: {}, other: {}, link: t.fixture('symlink', 'real') }));
  const real = join(physical, 'real');
  const link = join(physical, 'link');
  const table: [string | undefined, string][] = [
    [link, link],
    [real, real],
    [join(physical, 'other'), real],
    [join(physical, 'gone'), real],
    [`${physical}/other/../link`, real],
    ['link', real],
    ['', real],
    [undefined, real],
  ];
  for (const [PWD, expected] of table)
    t.equal(logicalCwd(PWD === undefined ? {} : { PWD }, real), expected, String(PWD));
});
