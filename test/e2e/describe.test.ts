import { writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import type { Description } from '../../src/protocol/control.js';
import { askBegin } from './support/ask.js';
import { Holdfast } from './support/holdfast.js';

const APP = `
const http = require('node:http');
http.createServer((request, response) => {
  if (request.url === '/die') process.exit(7);
  response.end('{}');
}).listen(0, '127.0.0.1');
`;

t.test('describe and env tell of a live application where everything comes from, and keep its secrets', async (t) => {
  const cwd = t.testdir({ 'app.cjs': APP, '.env': 'API_KEY=hush\n' });
  const file = path.join(cwd, 'holdfast.json');
  writeFileSync(file, JSON.stringify({ script: 'app.cjs', name: 'shop', envFile: '.env', env: { PORT: 1 } }));
  const holdfast = new Holdfast(t, file, {
    args: ['-i', '2'],
    env: { HOLDFAST_KILL_TIMEOUT: '3s', DB_URL: 'pg://a:hush@b' },
  });
  const port = await holdfast.port();

  const read = async (...words: string[]) => {
    const { code, stdout, stderr } = await holdfast.run(...words, '--json');
    t.equal(code, 0, stderr);
    return JSON.parse(stdout);
  };
  const whole = (await read('describe')) as Description;
  const setting = (name: string) => whole.settings.find((one) => one.name === name);
  t.match(setting('instances'), { value: '2', source: 'command line', path: '--instances' });
  t.match(setting('killTimeout'), { value: '3s', source: 'environment', path: 'HOLDFAST_KILL_TIMEOUT' });
  t.match(setting('envFile'), { value: '.env', source: file, path: 'envFile' });
  t.match(setting('surge'), { value: '1', source: 'default' });
  t.match(whole.release, { file, generation: 1, script: path.join(cwd, 'app.cjs') });
  t.same(
    whole.environment.map(({ name, value, source }) => [name, value, source]),
    [
      ['API_KEY', '******', 'envFile .env'],
      ['PORT', '1', `env, ${file}`],
    ],
  );
  t.same(whole.restarts, []);

  const hidden = await read('env', '2');
  t.match(hidden, {
    API_KEY: '******',
    DB_URL: 'pg://a:******@b',
    HOLDFAST_SLOT: '1',
    NODE_APP_INSTANCE: '1',
    PORT: '1',
  });
  t.match(await read('env', 'shop', '2', '--show-secrets'), { API_KEY: 'hush', DB_URL: 'pg://a:hush@b' });
  t.match(await holdfast.run('env', '9'), { code: 1, stderr: /there is no worker 9, and none in slot 9/ });
  t.match(await holdfast.run('describe'), {
    code: 0,
    stdout: /\nkillTimeout +3s +environment: HOLDFAST_KILL_TIMEOUT\n/,
  });

  const dying = askBegin(port, '/die');
  await Promise.all([
    t.rejects(dying.begun),
    t.rejects(dying.answered),
    holdfast.line((line) => line.msg === 'worker started' && line.worker === 3),
  ]);
  const [restart] = ((await read('describe')) as Description).restarts;
  t.match(restart, { what: 'crashed', reason: /exited with 7|code 7|ended with 7/ });
  t.ok(Math.abs(Date.now() - (restart?.atMs ?? 0)) < 600_000);
});
