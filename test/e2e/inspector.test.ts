import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { WebSocket } from 'ws';
import { apps, Holdfast, plainly } from './support/holdfast.js';

const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

/** What another user of the machine is told who asks the inspector for its targets, by each of its paths. */
const ASK = `
const answers = [];
for (const path of ['/json', '/json/list', '/json/version']) {
  const response = await fetch('http://127.0.0.1:' + process.argv[1] + path).catch((error) => ({ status: 0, text: () => String(error.cause) }));
  answers.push({ uid: process.getuid(), path, status: response.status, text: await response.text() });
}
console.log(JSON.stringify(answers));
`;

interface Answer {
  readonly uid: number;
  readonly path: string;
  readonly text: string;
}

async function asNobody(port: string): Promise<Answer[]> {
  const child = spawn(...plainly(['--input-type=module', '-e', ASK, port]), {
    ...(isRoot && { uid: NOBODY, gid: NOBODY }),
    cwd: '/',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [said] = await Promise.all([text(child.stdout), once(child, 'close')]);
  return JSON.parse(said) as Answer[];
}

t.test('the inspector of a worker tells nobody how to attach; who reads its output can', async (t) => {
  if (!isRoot) t.comment('asked as the same user: another one can only be taken on by root');
  const holdfast = new Holdfast(t, path.join(apps, 'forger.cjs'), { env: { PORT: '0' } });
  await holdfast.message('started');
  const { pid } = await holdfast.message('worker started');
  process.kill(Number(pid), 'SIGUSR1');
  const { msg } = await holdfast.line((line) => line.msg.includes('Debugger listening on'));
  const [, url = '', port = '', id = 'none'] = /(ws:\/\/127\.0\.0\.1:(\d+)\/([\da-f-]+))/.exec(msg) ?? [];
  const answers = await asNobody(port);
  t.equal(answers.length, 3);
  for (const answer of answers) {
    t.equal(answer.uid, isRoot ? NOBODY : process.getuid?.());
    t.notMatch(answer.text, new RegExp(id), answer.path);
    t.notMatch(answer.text, /webSocketDebuggerUrl|ws:/, answer.path);
  }
  const socket = new WebSocket(url, { perMessageDeflate: false });
  await once(socket, 'open');
  socket.send('{"id":1,"method":"Runtime.evaluate","params":{"expression":"process.pid"}}');
  const [answer] = (await once(socket, 'message')) as [Buffer];
  t.match(JSON.parse(String(answer)), { result: { result: { value: pid } } }, 'by the id it can be attached to');
  socket.terminate();
});

t.test('who wants to debug is found as always', async (t) => {
  const holdfast = new Holdfast(t, path.join(apps, 'forger.cjs'), {
    args: ['--node-args=--inspect=127.0.0.1:0'],
    env: { PORT: '0' },
  });
  const { msg } = await holdfast.line((line) => line.msg.includes('Debugger listening on'));
  const [, port = ''] = /ws:\/\/127\.0\.0\.1:(\d+)\//.exec(msg) ?? [];
  t.match((await asNobody(port)).find(({ path }) => path === '/json/list')?.text, /webSocketDebuggerUrl/);
});
