import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { apps, Holdfast, plainly } from './support/holdfast.js';

const documented = [
  'HOLDFAST_NAME',
  'HOLDFAST_SLOT',
  'HOLDFAST_GENERATION',
  'NODE_APP_INSTANCE',
  'HOLDFAST_RUNTIME_DIR',
  // Of the test that starts it, as the folder is.
  'HOLDFAST_ORPHAN_TIMEOUT',
];

for (const file of ['probe.cjs', 'probe.mjs']) {
  t.test(`${file} sees under holdfast what it sees under plain node`, async (t) => {
    const script = path.join(apps, file);
    const plain = spawnSync(...plainly([script, 'one', '--two'], { PROBE_ENDS: '1' }), { cwd: apps, encoding: 'utf8' });
    t.equal(plain.stderr, '');
    const holdfast = new Holdfast(t, script, {
      args: ['-i', '1', '--keep-children', '--', 'one', '--two'],
      cwd: apps,
      env: { PROBE_ENDS: '' },
    });
    const line = await holdfast.line(({ msg }) => msg.startsWith('PROBE '));
    const expected = seenIn(plain.stdout);
    const seen = seenIn(line.msg);
    t.same(seen, expected);
    t.ok(Object.keys(seen).length >= 5, 'something was compared');
  });
}

t.test('messages of holdfast do not reach the application, those of its own do', async (t) => {
  const script = application(
    t,
    'messages.cjs',
    `const http = require('node:http');
     process.on('message', (message) => console.log('MESSAGE ' + JSON.stringify(message)));
     // On a busy machine it may be asked to end before it has read what it was told before that.
     let left = 2;
     const leave = () => (left -= 1) === 0 && process.exit(0);
     process.once('message', leave).once('SIGTERM', leave);
     http.createServer((request, response) => response.end()).listen(0, '127.0.0.1');`,
  );
  const holdfast = new Holdfast(t, script, { args: ['-i', '1'] });
  await holdfast.message('started');
  await holdfast.status();
  t.equal((await holdfast.run('reload')).code, 0);
  await holdfast.run('stop');
  await holdfast.closed;
  const messages = holdfast.log.filter(({ msg }) => msg.startsWith('MESSAGE ')).map(({ msg }) => msg);
  t.same(messages, ['MESSAGE "shutdown"', 'MESSAGE "shutdown"'], 'one to each worker that drained, and nothing else');
});

for (const [what, code, expected] of [
  ['ends by itself', 'process.exitCode = 7;', 7],
  ['calls process.exit', 'process.exit(3);', 3],
  ['throws', 'throw new Error("broken");', 1],
  ['rejects', 'Promise.reject(new Error("broken"));', 1],
] as const) {
  t.test(`an application that ${what} has the exit code and the words that it has under plain node`, async (t) => {
    const script = application(t, 'ends.cjs', code);
    const plain = spawnSync(...plainly([script]), { encoding: 'utf8' });
    t.equal(plain.status, expected, 'the expectation is true of plain node');
    const holdfast = new Holdfast(t, script, { args: ['-i', '1'] });
    t.equal(await holdfast.closed, 1);
    t.equal(holdfast.lines('worker exited')[0]?.code, expected);
    const written = holdfast.log.filter((line) => line.stream === 'stderr').map(({ msg }) => msg);
    t.same(written.join('\n').trim(), plain.stderr.trim());
  });
}

t.test("the owner's own preloads, source maps and inspector go on working", async (t) => {
  const dir = t.testdir({
    'apm.cjs': `const net = require('node:net');
      const { listen } = net.Server.prototype;
      net.Server.prototype.listen = function (...args) { console.log('APM ' + args[0]); return listen.apply(this, args); };`,
    'app.cjs': `require('node:http').createServer().listen(0, () => console.log(new Error('mapped').stack.split('\\n')[1]));\n//# sourceMappingURL=app.cjs.map`,
  });
  writeFileSync(
    path.join(dir, 'app.cjs.map'),
    JSON.stringify({ version: 3, sources: ['original.ts'], names: [], mappings: 'AAAA', file: 'app.cjs' }),
  );
  const nodeArgs = `--require ${dir}/apm.cjs --enable-source-maps --inspect=127.0.0.1:0`;
  const holdfast = new Holdfast(t, path.join(dir, 'app.cjs'), { args: ['-i', '1', `--node-args=${nodeArgs}`] });
  await holdfast.message('started');
  await holdfast.line(({ msg }) => msg.startsWith('APM '));
  await holdfast.line(({ msg }) => msg.includes('original.ts'));
  await holdfast.line(({ msg }) => msg.startsWith('Debugger listening on ws://127.0.0.1:'));
});

function application(t: Test, name: string, code: string): string {
  return path.join(t.testdir({ [name]: code }), name);
}

/** What the probe wrote, less what holdfast documents that it adds. */
function seenIn(text: string): Record<string, unknown> {
  const seen = JSON.parse(text.slice(text.indexOf('PROBE ') + 6).trim()) as Record<string, unknown>;
  for (const view of [seen, seen.child, seen.again] as { variables?: string[] }[]) {
    if (view?.variables) view.variables = view.variables.filter((name) => !documented.includes(name));
  }
  const { thread } = seen as { thread?: { more: number } };
  if (thread !== undefined) t.equal(thread.more, 0, 'a thread has the variables of its process');
  return seen;
}
