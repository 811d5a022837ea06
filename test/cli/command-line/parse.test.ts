import t, { type Test } from 'tap';
import { COMMANDS } from '../../../src/cli/command-line/catalog.js';
import { type Parsed, parseCommandLine } from '../../../src/cli/command-line/parse.js';

async function invocation(words: string) {
  const parsed = await parseCommandLine(words.split(' '));
  if (parsed.wants !== 'run') throw new Error(`${words} wants ${parsed.wants}`);
  return { command: parsed.spec.name, ...parsed.invocation };
}

function refused(t: Test, words: string, message: RegExp, hint?: RegExp) {
  return t.rejects(
    parseCommandLine(words === '' ? [] : words.split(' ')),
    { code: 'USAGE', exitCode: 2, message, ...(hint && { hint }) },
    words,
  );
}

t.test('every command is found by its name and by its aliases', async (t) => {
  for (const words of ['reload', 'restart', 'stop', 'status', 'logs']) {
    t.match(await invocation(words), { command: words, operand: undefined, flags: {} });
  }
  for (const alias of ['ls', 'list', 'ps']) t.match(await invocation(alias), { command: 'status' });
  t.match(await invocation('monit shop'), { command: 'top', flags: { name: 'shop' } });
  t.same(COMMANDS.map(({ name }) => name).sort(), [
    'check',
    'completion',
    'dashboard',
    'describe',
    'doctor',
    'env',
    'init',
    'inspect',
    'logs',
    'profile',
    'reload',
    'restart',
    'scale',
    'start',
    'status',
    'stop',
    'top',
    'unit',
    'upgrade',
  ]);
});

t.test('every command that speaks to a supervisor takes --name and --json', async (t) => {
  for (const command of ['reload', 'restart', 'stop', 'status', 'logs', 'top', 'scale 1']) {
    t.match(await invocation(`${command} --name shop --json`), { flags: { name: 'shop', json: true } });
    t.match(await invocation(`${command} --name=shop`), { flags: { name: 'shop' } });
  }
});

t.test('a name may stand behind the command; several and all where that makes sense', async (t) => {
  for (const command of ['reload', 'restart', 'stop', 'status', 'logs']) {
    t.match(await invocation(`${command} shop --json`), { flags: { name: 'shop', json: true }, names: undefined });
  }
  t.match(await invocation('scale shop -1'), { operand: '-1', flags: { name: 'shop' } });
  t.match(await invocation('scale -- shop -1'), { operand: '-1', flags: { name: 'shop' } });
  t.match(await invocation('reload shop api'), { names: ['shop', 'api'], flags: { name: undefined } });
  t.match(await invocation('stop all'), { names: ['all'], flags: { name: undefined } });
  t.match(await invocation('stop --name all'), { names: undefined, flags: { name: 'all' } });
  await refused(t, 'describe shop api', /"api": describe takes one name/);
  t.match(await invocation('logs shop api'), { names: ['shop', 'api'] });
  await refused(t, 'reload shop --name api', /"shop" and --name at once/);
});

t.test('scale takes numbers and differences, also those that begin with a dash', async (t) => {
  for (const change of ['4', '+2', '-1', '-12']) {
    t.match(await invocation(`scale ${change}`), { operand: change });
    t.match(await invocation(`scale -- ${change}`), { operand: change });
    t.match(await invocation(`scale ${change} --name shop`), { operand: change, flags: { name: 'shop' } });
    t.match(await invocation(`scale --name shop ${change}`), { operand: change, flags: { name: 'shop' } });
  }
  await refused(t, 'scale shop', /<change> is missing/);
  await refused(t, '--name shop ls', /cannot run shop/, /the command comes first/);
});

t.test("what follows -- is the application's, word for word", async (t) => {
  const behind = ['--port', '3000', '-v', '--', '--help', 'x y', ''];
  const parsed = await parseCommandLine(['start', 'app.js', '-i', '2', '--', ...behind]);
  t.match(parsed, { wants: 'run', invocation: { operand: 'app.js', flags: { instances: '2' } } });
  t.same((parsed as Parsed & { wants: 'run' }).invocation.applicationArgs, behind);
});

t.test('what follows npm, tsx and their like is part of the command, but for flags of start', async (t) => {
  t.match(await invocation('start npm run prod -i 2'), { operand: 'npm run prod', flags: { instances: '2' } });
  t.match(await invocation('start --name shop tsx src/app.ts'), { operand: 'tsx src/app.ts', flags: { name: 'shop' } });
  t.match(await invocation('unit yarn start'), { operand: 'yarn start' });
  t.match(await parseCommandLine(['start', 'node', 'my app.js', '--', '--port']), {
    invocation: { operand: "node 'my app.js'", applicationArgs: ['--port'] },
  });
  t.match(await invocation('start npm -- run prod'), { operand: 'npm', applicationArgs: ['run', 'prod'] });
  await refused(
    t,
    'start node --enable-source-maps app.js',
    /--enable-source-maps/,
    /^write the whole command in quotes: "node \.\.\."$/,
  );
  await refused(t, 'start next start', /cannot use "start"/, /behind --/);
});

t.test('flags of start keep their text: no number, no boolean is made of it', async (t) => {
  t.same((await invocation('start app.js -i 04 --drain-timeout 1e3')).flags, {
    instances: '04',
    'drain-timeout': '1e3',
  });
  t.match(await invocation('start -i max app.js'), { operand: 'app.js', flags: { instances: 'max' } });
  t.same((await invocation('start app.js --name a --name b')).flags, { name: 'b' }, 'the last one counts');
});

t.test('a flag that may be repeated gives a list, and takes one word each time', async (t) => {
  const { flags, operand } = await invocation('start --env A=1 app.js --env B=2');
  t.same(flags, { env: ['A=1', 'B=2'] });
  t.equal(operand, 'app.js');
  t.same((await invocation('start app.js --node-args --expose-gc --node-args=--inspect=0')).flags, {
    'node-args': ['--expose-gc', '--inspect=0'],
  });
});

t.test('unknown commands and options are refused with the nearest one', async (t) => {
  await refused(t, 'relaod', /^cannot run relaod: no such command$/, /reload/);
  await refused(t, 'app.js', /^cannot run app.js/, /holdfast start app.js/);
  await refused(t, 'xyzzyx', /^cannot run xyzzyx/, /start, reload/);
  await refused(t, 'status --jsno', /^cannot use --jsno: /, /--json/);
  await refused(t, 'start app.js --drain-timeot=3s', /^cannot use --drain-timeot: /, /--drain-timeout/);
  await refused(t, 'start app.js --port 3000', /--port/, /application go behind --/);
  await refused(t, 'start app.js --no-env', /--no-env/);
  await refused(t, 'status -x', /-x/, /--help/);
  await refused(t, '--name shop status', /cannot run shop/);
});

t.test('missing and surplus words are refused', async (t) => {
  await refused(t, '', /no command given/, /reload/);
  await refused(t, 'scale', /<change> is missing/);
  await refused(t, 'check', /<config> is missing/);
  t.match(await invocation('scale shop api 2'), { names: ['shop', 'api'], operand: '2' });
  await refused(t, 'doctor shop', /"shop": doctor takes nothing/);
  await refused(t, 'doctor -- shop', /"shop"/);
  await refused(t, 'start app.js 3000', /"3000"/, /behind --/);
  await refused(t, 'status --name', /--name: its value is missing/);
  await refused(t, 'status --name --json', /--name: its value is missing/);
});

t.test('every switch may be said in the same ways, the last one counts', async (t) => {
  for (const said of ['--watch', '--watch=true', '--watch true', '--no-watch --watch', '--watch=false --watch']) {
    t.match(await invocation(`start app.js ${said}`), { flags: { watch: true }, operand: 'app.js' }, said);
  }
  for (const said of ['--no-watch', '--watch=false', '--watch false', '--watch --no-watch']) {
    t.match(await invocation(`start ${said} app.js`), { flags: { watch: false }, operand: 'app.js' }, said);
  }
  t.match(await invocation('start --watch app.js --no-keep-children'), {
    flags: { watch: true, 'keep-children': false },
  });
  t.match(await invocation('status --json=true'), { flags: { json: true } });
  for (const said of ['--no-json', '--json=false', '--json false']) {
    t.strictSame((await invocation(`status ${said}`)).flags, {}, 'what only a command knows is not given then');
  }
  await refused(t, 'status --json=yes', /cannot use --json=yes: --json takes true or false, or no value/);
  await refused(t, 'start app.js --no-watch=true', /--no-watch takes no value/);
  await refused(t, 'start app.js --no-name', /--no-name/);
});

t.test('help and version win over everything but what is behind --', async (t) => {
  t.match(await parseCommandLine(['--help']), { wants: 'help', spec: null });
  t.match(await parseCommandLine(['help']), { wants: 'help', spec: null });
  t.match(await parseCommandLine(['scale', '-h']), { wants: 'help', spec: { name: 'scale' } });
  t.match(await parseCommandLine(['help', 'ls']), { wants: 'help', spec: { name: 'status' } });
  t.match(await parseCommandLine(['--version']), { wants: 'version' });
  t.match(await parseCommandLine(['start', 'app.js', '--', '--version']), { wants: 'run' });
});
