/** The units under a real systemd; see `systemd-lab`. Needs root, and a build. */
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { bootLab, openLab } from './support/lab.js';

const root = fileURLToPath(new URL('../../', import.meta.url)).replace(/\/$/, '');
const HOLDFAST = '/opt/holdfast/bin/holdfast.js';
const node = process.execPath;

const APP = `require('node:http').createServer((request, response) => {
  const { networkInterfaces, cpus } = require('node:os');
  response.end(JSON.stringify({
    uid: process.getuid(),
    lo: Object.keys(networkInterfaces()),
    cpus: cpus().length,
    cwd: process.cwd(),
    args: process.argv.slice(2),
    writes: writes(),
  }));
}).listen(process.env.PORT ?? 8000);
function writes() {
  try {
    require('node:fs').writeFileSync('written', '');
    return true;
  } catch {
    return false;
  }
}`;

interface Answer {
  readonly uid: number;
  readonly lo: readonly string[];
  readonly cpus: number;
  readonly cwd: string;
  readonly args: readonly string[];
  readonly writes: boolean;
}

const lab = openLab('unit');
const { run } = lab;
const inside = (words: readonly string[], input?: string) => run(['exec', ...words], input);
const shell = (script: string, input?: string) => inside(['sh', '-ec', script], input);

/** The application's answer, asked again until the service serves. */
async function ask(port: number): Promise<Answer> {
  const script = `
    const ask = () => fetch('http://127.0.0.1:${port}/').then((answer) => answer.text());
    const end = Date.now() + 15000;
    const again = () => ask().then((text) => console.log(text), (error) => {
      if (Date.now() > end) throw error;
      setTimeout(again, 100);
    });
    again();`;
  const { stdout, stderr } = await inside([node, '-e', script]);
  if (stdout === '') throw new Error(`nothing answers on ${port}: ${stderr}`);
  return JSON.parse(stdout);
}

async function unit(...words: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await inside([node, HOLDFAST, 'unit', '--output', '/etc/systemd/system', ...words]);
  if (code !== 0) throw new Error(stderr);
  return stdout.split('\n').filter((line) => line.startsWith('/'));
}

/** The whole score: below 3.0 it is "OK" for systemd. */
function exposure(report: string): string {
  return /exposure level.*?: (\d+\.\d)/.exec(report)?.[1] ?? 'nobody knows what';
}

/** What is said about these units: about those of the system, which they depend on, it may say what it likes. */
function about(files: readonly string[], said: string): string[] {
  return said.split('\n').filter((line) => files.some((file) => line.includes(path.basename(file))));
}

const reason = await bootLab(t, lab);

t.test('units under a real systemd', { skip: reason ?? false }, async (t) => {
  // Not below /tmp, where no server has its programs.
  await shell(`mkdir -p /opt/holdfast /srv/shop && mount --bind ${root} /opt/holdfast && cat > /srv/shop/app.js`, APP);

  await t.test('systemd has nothing to say against them, and calls them safe', async (t) => {
    const app = '/srv/shop/app.js';
    const made = {
      'a user of its own': ['--name', 'own'],
      'an old systemd': ['--name', 'old', '--systemd-version', '239'],
      'systemd 252': ['--name', 'bookworm', '--systemd-version', '252'],
      'port 80 by itself': ['--name', 'low', '--user', 'daemon', '--privileged-ports'],
      root: ['--name', 'root', '--user', 'root', '--privileged-ports'],
      'port 80 by a socket': ['--name', 'sock', '--user', 'daemon', '--socket', '80'],
      'root with sockets': ['--name', 'rsock', '--user', 'root', '--socket', '80', '--socket', '[::1]:81'],
      'other sockets': ['--name', 'other', '--socket', '/run/a b%c.sock', '--socket', '@shop', '--socket', 'udp:53'],
      'odd words': ['--name', 'words', '--writable', '/srv/a b%c', '--env', 'A=1 "2" \'3\' $4 %5 \\6'],
    };
    for (const [what, words] of Object.entries(made)) {
      const files = await unit(app, ...words);
      t.equal(files.length, words.includes('--socket') ? 2 : 1, what);
      const verified = await inside(['systemd-analyze', 'verify', ...files]);
      t.same({ code: verified.code, said: about(files, verified.stderr) }, { code: 0, said: [] }, what);
      const security = ['security', '--no-pager', '--offline=true', '--threshold=30'];
      const scored = await inside(['systemd-analyze', ...security, ...files.filter((file) => /service$/.test(file))]);
      t.equal(scored.code, 0, `${what} has an exposure of ${exposure(scored.stdout)}`);
    }
    const template = await unit('--template');
    const verified = await inside(['systemd-analyze', 'verify', ...template]);
    t.same({ code: verified.code, said: about(template, verified.stderr) }, { code: 0, said: [] }, 'the template');
  });

  await t.test('as nobody it serves, and root sees how it is', async (t) => {
    await unit('/srv/shop/app.js', '--name', 'shop', '--user', 'nobody', '-i', '2');
    await dropIn('shop');
    t.equal((await inside(['systemctl', 'start', 'shop'])).code, 0);
    const { uid, lo, cpus, writes } = await ask(8000);
    t.notOk(writes, 'the application cannot change itself');
    t.equal(uid, 65534);
    t.ok(cpus > 0 && lo.includes('lo'), 'it sees processors and interfaces');
    t.match(await status('shop'), { state: 'running', steering: true });
    t.equal((await inside(['systemctl', 'stop', 'shop'])).code, 0);
    t.equal((await inside(['systemctl', 'show', '-P', 'Result', 'shop'])).stdout, 'success\n');
  });

  await t.test('a path is what it is, however odd', async (t) => {
    const folder = `/srv/my shop's "best" 100%i \\x41 $HOME \${HOME} é;`;
    await inside(['mkdir', '-pm', '777', folder]);
    await inside(['cp', '/srv/shop/app.js', `${folder}/app.js`]);
    const args = ['--', 'a b', '$PATH', '%n', "it's", '"', '\\', ';', '', 'x\ny'];
    await unit(
      `${folder}/app.js`,
      '--name',
      'odd',
      '--cwd',
      folder,
      '--env',
      'PORT=8001',
      '--writable',
      folder,
      ...args,
    );
    await dropIn('odd');
    t.equal((await inside(['systemctl', 'start', 'odd'])).code, 0);
    const served = await ask(8001);
    t.equal(served.cwd, folder);
    t.same(served.args, args.slice(1));
    t.ok(served.writes, 'the folder may be written to, as it belongs to everybody');
    t.equal((await inside(['systemctl', 'stop', 'odd'])).code, 0);
  });

  await t.test('a user of its own binds port 80, is reloaded and killed, and serves again', async (t) => {
    const flags = ['--name', 'stall', '--env', 'PORT=80', '--systemd-version', '252'];
    await unit('/srv/shop/app.js', ...flags);
    await dropIn('stall');
    t.equal((await inside(['systemctl', 'start', 'stall'])).code, 0);
    t.ok((await ask(80)).uid > 60_000);
    t.equal((await inside(['systemctl', 'reload', 'stall'])).code, 0);
    t.match(await status('stall'), { generation: 2, rollout: { state: 'done' } });
    const before = await status('stall');
    await inside(['kill', '-9', String(before.pid)]);
    t.ok((await ask(80)).uid > 60_000, 'its worker serves on');
    const after = await next('stall', before.pid);
    t.equal(after.workers[0].pid, before.workers[0].pid, 'and is taken over, though its user was made anew');
    t.equal(after.generation, 2);
    t.equal((await inside(['systemctl', 'reload', 'stall'])).code, 0);
    t.match(await status('stall'), { generation: 3, rollout: { state: 'done' } });
    const { workers } = await status('stall');
    t.equal((await inside(['systemctl', 'stop', 'stall'])).code, 0);
    t.not((await inside(['test', '-d', `/proc/${workers[0].pid}`])).code, 0, 'a stop ends it');
  });
});

async function dropIn(name: string): Promise<void> {
  const folder = `/etc/systemd/system/${name}.service.d`;
  await shell(
    `mkdir -p ${folder} && cat > ${folder}/test.conf && systemctl daemon-reload`,
    '[Service]\nRestartSec=100ms\n',
  );
}

/** Of the supervisor after the one with that PID, once it has taken its workers over. */
async function next(name: string, pid: number) {
  for (const end = Date.now() + 20_000; Date.now() < end; await delay(100)) {
    const now = await status(name).catch(() => null);
    if (now !== null && now.pid !== pid && now.state === 'running') return now;
  }
  throw new Error(`no other supervisor of ${name} within 20 s`);
}

async function status(name: string) {
  const { stdout, stderr } = await inside([
    'env',
    `HOLDFAST_RUNTIME_DIR=/run/holdfast-${name}`,
    node,
    HOLDFAST,
    'status',
    '--json',
  ]);
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout);
}
