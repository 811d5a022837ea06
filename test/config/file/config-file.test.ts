import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { isConfigFile } from '../../../src/config/file/config-name.js';
import { loadModule } from '../../../src/config/file/module-file.js';
import { loadConfig } from '../../../src/config/load.js';
import { faultsOf, sourceIn } from '../support.js';

t.test('a target is a configuration by its extension, or by .config. in its name', async (t) => {
  const table: [string, boolean][] = [
    ['holdfast.json', true],
    ['a/b.yaml', true],
    ['b.YML', true],
    ['holdfast.config.js', true],
    ['holdfast.config.mjs', true],
    ['x/y.config.cjs', true],
    ['app.js', false],
    ['config.js', false],
    ['app.config.ts', false],
    ['x.config.js/app.js', false],
    ['yaml', false],
    ['', false],
  ];
  for (const [target, is] of table) t.equal(isConfigFile(target), is, target);
});

t.test('each format of a file gives the same configuration', async (t) => {
  const options = '{ script: "app.js", instances: 3, args: ["a"], env: { PORT: 3000 } }';
  const json = '{"$schema": "./s.json", "script": "app.js", "instances": 3, "args": ["a"], "env": {"PORT": 3000}}';
  const cwd = t.testdir({
    'app.js': '',
    'a.json': json,
    'bom.json': `\uFEFF${json}`,
    'a.yaml': '# why\n$schema: ./s.json\nscript: app.js\ninstances: 3\nargs:\n  - a\nenv:\n  PORT: 3000\n',
    'a.yml': options.replaceAll('"', ''),
    'a.config.mjs': `export default ${options}`,
    'b.config.mjs': `export default async () => (${options})`,
    'a.config.cjs': `module.exports = ${options}`,
    'b.config.cjs': `module.exports = () => (${options})`,
    'c.config.cjs': `module.exports = Promise.resolve(${options})`,
    cjs: { 'package.json': '{}', 'a.config.js': `module.exports = { ...${options}, cwd: ".." }` },
    esm: { 'package.json': '{"type": "module"}', 'a.config.js': `export default { ...${options}, cwd: ".." }` },
  });
  const targets = [
    'a.json',
    'bom.json',
    'a.yaml',
    'a.yml',
    'a.config.mjs',
    'b.config.mjs',
    'a.config.cjs',
    'b.config.cjs',
    'c.config.cjs',
  ];
  for (const target of [...targets, 'cjs/a.config.js', 'esm/a.config.js']) {
    const { config, file } = await loadConfig(sourceIn(cwd, { target }));
    t.equal(file, join(cwd, target));
    t.match(config, { script: 'app.js', instances: 3, args: ['a'], env: { PORT: '3000' }, cwd }, target);
  }
});

t.test('numbers in YAML that are meant as texts keep their spelling', async (t) => {
  const env = 'VERSION: 1.10, ID: 12345678901234567890, MODE: 0644, YES: yes, ON: true, TEXT: "1.0"';
  const expected = { VERSION: '1.10', ID: '12345678901234567890', MODE: '0644', YES: 'yes', ON: 'true', TEXT: '1.0' };
  const cwd = t.testdir({
    'app.js': '',
    'plain.yaml': `script: app.js\nargs: [1.10, 007]\nenv: { ${env} }`,
    'anchor.yaml': `script: app.js\nargs: [1.10, 007]\nenv: &e { ${env} }`,
  });
  for (const target of ['plain.yaml', 'anchor.yaml']) {
    const { config } = await loadConfig(sourceIn(cwd, { target }));
    t.strictSame({ ...config.env }, expected, target);
    t.strictSame(config.args, ['1.10', '007']);
  }
});

t.test('a file that is no configuration is refused with a reason', async (t) => {
  const table: [string, string, RegExp][] = [
    ['empty.json', ' \n', /^must not be empty$/],
    ['empty.yaml', '', /^must not be empty$/],
    ['comment.yaml', '# nothing\n', /^must not be empty$/],
    ['null.json', 'null', /^must not be empty$/],
    ['list.json', '[]', /^must be an object with options, not a list$/],
    ['text.yaml', 'script app.js', /^must be an object with options, not string$/],
    ['syntax.json', '{\n  "script": app.js\n}', /^must be JSON; line 2, column 13: a value is expected here$/],
    ['syntax.yaml', 'script: app.js\n\tname: x\n', /^must be YAML; line 2, column \d+: /],
    ['twice.yaml', 'name: a\nname: b\n', /^must be YAML; line 2, column 1: duplicate key$/],
    ['two.yaml', 'name: a\n---\nname: b\n', /^must be YAML; line 2, column \d+: multiple docs$/],
    ['tag.yaml', 'name: !env X\n', /^must be YAML; line 1, column 7: tag resolve failed$/],
    ['alias.yaml', 'name: *x\n', /^must be YAML/],
    ['bomb.yaml', bomb(), /^must be YAML whose aliases/],
    ['large.json', `{"name": "${'x'.repeat(1024 ** 2)}"}`, /^must be a file of at most 1 MiB; /],
    ['large.config.mjs', `export default {};//${'x'.repeat(1024 ** 2)}`, /^must be a file of at most 1 MiB; /],
    [
      'throws.config.mjs',
      'throw new TypeError("no database")',
      /^must load without an error; .* TypeError: no database$/,
    ],
    ['rejects.config.mjs', 'export default async () => { throw "x" }', /^must load without an error; it threw x$/],
    ['syntax.config.mjs', 'export default {', /^must load without an error; .* SyntaxError: /],
    ['waits.config.mjs', 'export default () => new Promise(() => {})', /^must give its options; .* nobody resolves/],
    ['awaits.config.mjs', 'await new Promise(() => {})', /^must give its options; .* nobody resolves/],
    [
      'rejected.config.cjs',
      'module.exports = Promise.reject(new Error("x"))',
      /^must load without an error; .* Error: x$/,
    ],
    [
      'commonjs.config.mjs',
      'module.exports = {}',
      /line 1: .* is not defined in ES module scope; .*call the file \.cjs$/,
    ],
    ['named.config.mjs', 'export const name = "x"', /^must have a default export/],
    ['none.config.cjs', 'module.exports = undefined', /^must not be empty$/],
    ['function.config.mjs', 'export default () => 7', /^must be an object with options, not number$/],
  ];
  const cwd = t.testdir(Object.fromEntries(table));
  for (const [name, , allowed] of table) {
    const faults = await faultsOf(sourceIn(cwd, { target: name }));
    t.match(faults, [{ source: join(cwd, name), path: '', value: null, allowed }], name);
    t.equal(faults.length, 1, `${name}: nothing else is said to be missing`);
  }
});

t.test('a file that is not there is named, with the one that is probably meant', async (t) => {
  const cwd = t.testdir({ 'holdfast.yaml': '', 'folder.json': {}, 'holdfast.config.mjs': '' });
  const table: [string, string][] = [
    ['holdfast.yml', `there is no ${join(cwd, 'holdfast.yml')}; did you mean "holdfast.yaml"?`],
    ['holdfast.config.js', `there is no ${join(cwd, 'holdfast.config.js')}; did you mean "holdfast.config.mjs"?`],
    ['no/x.json', `there is no folder ${join(cwd, 'no')}`],
    ['folder.json', `must be a file; ${join(cwd, 'folder.json')} is a folder`],
  ];
  for (const [target, allowed] of table) t.match(await faultsOf(sourceIn(cwd, { target })), [{ allowed }], target);
  t.match(await faultsOf(sourceIn('/', { target: '/dev/null/x.json' })), [{ allowed: 'must be an existing file' }]);
});

t.test('an unknown key is refused with the nearest known one', async (t) => {
  const cwd = t.testdir({
    'x.json': '{"kill_timeout": 1, "colour": true, "constructor": 1, "script": "x.json"}',
  });
  const faults = await faultsOf(sourceIn(cwd, { target: 'x.json' }));
  t.match(faults.slice(0, 3), [
    { path: 'kill_timeout', allowed: 'no such option; did you mean "killTimeout"?' },
    { path: 'colour', allowed: /^no such option$/ },
    { path: 'constructor', allowed: 'no such option' },
  ]);
});

t.test('an option that a program leaves undefined is not given', async (t) => {
  const cwd = t.testdir({ 'app.js': '', 'x.config.mjs': 'export default { script: "app.js", instances: undefined }' });
  t.match((await loadConfig(sourceIn(cwd, { target: 'x.config.mjs' }))).config, { instances: 1 });
});

t.test('what a program writes is no output of the command', async (t) => {
  const cwd = t.testdir({ 'x.config.cjs': 'console.log("hello"); module.exports = {}' });
  const [out, err] = [t.capture(process.stdout, 'write'), t.capture(process.stderr, 'write')];
  await loadModule(join(cwd, 'x.config.cjs'));
  while (err().length === 0) await new Promise((resolve) => setImmediate(resolve));
  t.same(out(), []);
});

t.test('a program that never ends loading is given up', async (t) => {
  const cwd = t.testdir({ 'x.config.mjs': 'export default () => new Promise(() => {})' });
  await t.rejects(loadModule(join(cwd, 'x.config.mjs'), 1), { message: 'must load within 1 ms' });
});

t.test('a program that loops, or leaves something open, or exits, hangs nobody', async (t) => {
  const cwd = t.testdir({
    'loop.config.mjs': 'for (;;);',
    'later.config.mjs': 'export default async () => { await null; for (;;); }',
    'open.config.mjs': 'setInterval(() => {}, 1e6); export default { script: "a.js" }',
    'open.config.cjs': 'setInterval(() => {}, 1e6); module.exports = { script: "app.js" };',
    'exit.config.mjs': 'process.exit(0); export default {}',
    'kinds.config.mjs': 'const x = { a: 1 }; x.x = x; export default { f() {}, s: Symbol(), x, list: [1, undefined] }',
  });
  const load = (file: string, timeoutMs?: number) => loadModule(join(cwd, file), timeoutMs);
  await t.rejects(load('loop.config.mjs', 500), { message: 'must load within 500 ms' });
  await t.rejects(load('later.config.mjs', 500), { message: 'must load within 500 ms' });
  t.same(await load('open.config.mjs'), { script: 'a.js' });
  t.same(await load('open.config.cjs'), { script: 'app.js' });
  await t.rejects(load('exit.config.mjs'), { message: /it ended without: .* process\.exit\(\)/ });
  const kinds = (await load('kinds.config.mjs')) as Record<string, unknown>;
  t.match(kinds, { f: Function, x: { a: 1 }, list: [1, undefined] });
  t.type(kinds.s, 'symbol');
});

t.test('a file is read anew each time', async (t) => {
  const write: Record<string, (instances: number) => string> = {
    'x.json': (instances) => `{"script": "app.js", "instances": ${instances}}`,
    'x.yaml': (instances) => `script: app.js\ninstances: ${instances}`,
    'x.config.mjs': (instances) => `export default { script: "app.js", instances: ${instances} }`,
    'x.config.cjs': (instances) => `module.exports = { script: "app.js", instances: ${instances} }`,
    'cjs/x.config.js': (instances) => `module.exports = { script: "../app.js", instances: ${instances} }`,
  };
  const cwd = t.testdir({ 'app.js': '', cjs: { 'package.json': '{}' } });
  for (const [target, contents] of Object.entries(write)) {
    for (const instances of [1, 2, 3]) {
      writeFileSync(join(cwd, target), contents(instances));
      t.match((await loadConfig(sourceIn(cwd, { target }))).config, { instances }, target);
    }
  }
});

t.test('a link that was moved is followed to where it leads now', async (t) => {
  const cwd = t.testdir({});
  for (const instances of [1, 2]) {
    const release = join(cwd, `release-${instances}`);
    mkdirSync(release);
    writeFileSync(join(release, 'app.js'), '');
    writeFileSync(join(release, 'x.config.mjs'), `export default { script: "app.js", instances: ${instances} }`);
    writeFileSync(join(release, 'x.config.cjs'), `module.exports = { script: "app.js", instances: ${instances} }`);
    symlinkSync(release, join(cwd, 'next'));
    rmSync(join(cwd, 'current'), { force: true });
    renameSync(join(cwd, 'next'), join(cwd, 'current'));
    for (const target of ['current/x.config.mjs', 'current/x.config.cjs']) {
      const { config } = await loadConfig(sourceIn(cwd, { target }));
      t.match(config, { instances, cwd: join(cwd, 'current') }, target);
    }
  }
});

/** A few lines that unfold to millions of values. */
function bomb(): string {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x]'];
  for (let level = 1; level < 8; level++) {
    lines.push(`a${level}: &a${level} [${Array.from({ length: 9 }, () => `*a${level - 1}`).join(', ')}]`);
  }
  return lines.join('\n');
}
