import { writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import t, { type Test } from 'tap';
import type { PageEvents, PageMark } from '../../src/protocol/page.js';
import { freePort } from '../support/ports.js';
import { ask } from './support/ask.js';
import { apps, Holdfast } from './support/holdfast.js';
import { Load } from './support/load.js';

// Side by side: most of the time they wait.
t.jobs = 3;

const app = path.join(apps, 'release.cjs');

async function start(t: Test, ...args: string[]) {
  const port = await freePort();
  const dir = t.testdir({ mood: 'good' });
  const moodFile = path.join(dir, 'mood');
  const holdfast = new Holdfast(t, app, { args, env: { PORT: String(port), MOOD_FILE: moodFile } });
  await holdfast.message('started');
  const become = (mood: string) => writeFileSync(moodFile, mood);
  return { holdfast, port, become, dir };
}

/** Nobody waits for the answer: there will be none. */
function send(t: Test, port: number, url: string): void {
  const request = http.get({ port, host: '127.0.0.1', path: url, agent: false });
  request.on('error', () => {});
  t.teardown(() => request.destroy());
}

/** The newest of its kind, as the page of the admin address is told of it. */
async function markOf(admin: number, kind: PageMark['kind']): Promise<PageMark | undefined> {
  const feed = new AbortController();
  const { body } = await fetch(`http://127.0.0.1:${admin}/feed`, { signal: feed.signal });
  let told = '';
  for await (const piece of body ?? []) {
    told += Buffer.from(piece).toString();
    if (/^event: history\n.*\n\n/m.test(told)) break;
  }
  feed.abort();
  const [, history = ''] = /^event: history\ndata: (.*)\n\n/m.exec(told) ?? [];
  return (JSON.parse(history) as PageEvents['history']).marks.findLast((mark) => mark.kind === kind);
}

t.test(
  'a release that is not healthy, or does not stay so, is rolled back with what it answered',
  { buffered: true },
  async (t) => {
    const { holdfast, become } = await start(
      t,
      ...['-i', '2', '--health', '/healthz', '--health-timeout', '300ms', '--health-interval', '100ms'],
      ...['--ready-timeout', '5s', '--soak', '1s', '--drain-timeout', '500ms'],
    );
    for (const [mood, expected] of [
      ['unhealthy', /not ready within 5 s: GET \/healthz answered 503: "db down"/],
      ['blocks', /did not stay healthy: GET \/healthz was not answered within 0\.3 s/],
      ['crashes', /exited with code 5/],
    ] as const) {
      become(mood);
      const { code, stderr } = await holdfast.run('reload');
      t.equal(code, 1, mood);
      t.match(stderr, expected);
      t.match((await holdfast.status()).rollout, { state: 'rolledBack', reason: expected });
    }
    become('good');
    t.equal((await holdfast.reload()).code, 0);
  },
);

t.test(
  'a worker that hangs is replaced at once, and where it hangs is logged before it is killed',
  { buffered: true },
  async (t) => {
    const admin = await freePort();
    const { holdfast, port } = await start(t, '-i', '2', '--hang-timeout', '1s', '--admin', String(admin));
    send(t, port, '/spin');
    const hung = await holdfast.message('worker hung');
    // Its successor may be ready by the time that this is read.
    const at = holdfast.log.indexOf(hung);
    await holdfast.line(({ msg, slot }) => msg === 'worker ready' && slot === hung.slot, at);
    const { stack } = await holdfast.message('it hangs here');
    t.match((stack as string[])[0], /^spinForEver \(.*release\.cjs:\d+:\d+\)$/);
    await holdfast.line(
      ({ msg, worker, signal }) => msg === 'worker exited' && worker === hung.worker && signal === 'SIGKILL',
    );
    const { workers } = await holdfast.status();
    t.same(
      workers.map(({ state }) => state),
      ['ready', 'ready'],
    );
    t.match(workers.find(({ slot }) => slot === hung.slot)?.restartReason, /event loop .* hung/);
    t.match(await markOf(admin, 'crash'), {
      text: new RegExp(`^slot ${hung.slot}: the event loop of a worker hung`),
      details: [/^at spinForEver \(.*release\.cjs:\d+:\d+\)$/],
    });
  },
);

t.test(
  'workers that come to a limit are recycled one at a time, and nothing is lost',
  { buffered: true },
  async (t) => {
    const { holdfast, port } = await start(t, '-i', '2', '--max-requests', '300', '--hang-timeout', '1s');
    const load = new Load({ port, fresh: 4, keepAlive: 4 });
    t.teardown(() => load.stop());
    const gone = new Set<unknown>();
    while (gone.size < 4) {
      const { worker } = await holdfast.line(({ msg, worker: id }) => msg === 'worker exited' && !gone.has(id));
      gone.add(worker);
    }
    await load.stop();
    t.same(load.errors, {}, load.summary());
    const { workers } = await holdfast.status();
    t.ok(workers.every(({ recycled, restarts }) => recycled >= 1 && restarts === 0));
    t.match(workers[0]?.restartReason, /maxRequests: \d+ of 300/);
  },
);

t.test('a canary that answers worse than the others is rolled back with the figures', { buffered: true }, async (t) => {
  const { holdfast, port, become } = await start(t, '-i', '2', '--canary-min-requests', '20');
  become('errors');
  const reload = holdfast.run('reload', '--canary', '20%', '--for', '30s');
  await holdfast.message('canary ready');
  t.match((await holdfast.status()).rollout, { state: 'running', canary: { slot: 2, share: 0.2 } });
  // Not before: it would be judged while the command above is still being loaded.
  const load = new Load({ port, fresh: 8, keepAlive: 0 });
  t.teardown(() => load.stop());
  const { code, stderr } = await reload;
  t.equal(code, 1);
  t.match(stderr, /the canary was worse: 100\.0 % of \d+ answers were 5xx, against 0\.0 % of \d+/);
  await load.stop();
  t.same(Object.keys(load.errors), ['status 500'], 'its own answers are all that went wrong');
  t.same(
    (await holdfast.settled()).workers.map(({ generation }) => generation),
    [1, 1],
  );
});

t.test('a canary that is as good as the others is promoted, and the rollout goes on', { buffered: true }, async (t) => {
  const { holdfast, port } = await start(t, '-i', '2', '--canary-min-requests', '20');
  const load = new Load({ port, fresh: 8, keepAlive: 2 });
  t.teardown(() => load.stop());
  const { code, stderr } = await holdfast.run('reload', '--canary', '50%', '--for', '2s');
  await load.stop();
  t.equal(code, 0, stderr);
  t.same(load.errors, {}, load.summary());
  t.match(stderr, /canary promoted/);
  const shares = load.answers.filter(({ generation }) => generation === 2).length / load.answers.length;
  t.ok(shares > 0.2, `${Math.round(100 * shares)} % were answered by the new generation`);
});

t.test('a canary is promoted and rolled back by hand as well', { buffered: true }, async (t) => {
  const { holdfast } = await start(t, '-i', '1');
  t.match(await holdfast.run('reload', '--promote'), { code: 1, stderr: /no canary is running/ });
  t.match(await holdfast.run('reload', '--abort'), { code: 1, stderr: /no rollout is running/ });
  const first = holdfast.run('reload', '--canary', '5%', '--for', '1h');
  await holdfast.message('canary ready');
  t.match(await holdfast.run('scale', '3'), { code: 1, stderr: /a canary is under way/ });
  t.match(await holdfast.run('reload', '--abort'), { code: 0 });
  t.match(await first, { code: 1, stderr: /aborted by hand/ });
  const at = holdfast.log.length;
  const second = holdfast.run('reload', '--canary', '5%', '--for', '1h');
  await holdfast.message('canary ready', at);
  t.match(await holdfast.run('reload', '--promote'), { code: 0 });
  t.match(await second, { code: 0 });
  t.equal((await holdfast.status()).generation, 3);
});

t.test('without steering a canary has about its share, and that is said', { buffered: true }, async (t) => {
  const { holdfast } = await start(t, '-i', '2', '--listen-mode', 'reuseaddr');
  const { code, stderr } = await holdfast.run('reload', '--canary', '5%', '--for', '1s');
  t.equal(code, 0, 'with too few requests to compare it goes on');
  t.match(stderr, /canary share hint=without steering .* approximate/);
  t.match(stderr, /canary not compared .*it has answered 0 requests, and 100 are needed/);
});

t.test('a replacement that runs a file which has changed since is told', { buffered: true }, async (t) => {
  const port = await freePort();
  const source = `require('node:http').createServer((q, r) => r.end('{}')).listen(${port}, '127.0.0.1');`;
  const file = path.join(t.testdir({ 'app.cjs': source }), 'app.cjs');
  const holdfast = new Holdfast(t, file);
  await holdfast.message('started');
  writeFileSync(file, 'throw new Error("a release that fails");');
  t.equal((await holdfast.reload()).code, 1);
  t.same(holdfast.lines('script has changed'), []);
  writeFileSync(file, `${source} // repaired by hand`);
  const [worker] = (await holdfast.status()).workers;
  const at = holdfast.log.length;
  process.kill(worker?.pid ?? 0, 'SIGKILL');
  await holdfast.message('worker ready', at);
  t.match(holdfast.lines('script has changed'), [{ generation: 1, script: file }]);
  t.match((await holdfast.status()).workers, [{ generation: 1, scriptChanged: true }]);
});

t.test('a dry run tells what would change, and changes nothing', { buffered: true }, async (t) => {
  const port = await freePort();
  const dir = t.testdir({ mood: 'good', '.env': 'A=secret\nB=1\n' });
  const config = path.join(dir, 'shop.json');
  const env = { PORT: String(port), MOOD_FILE: path.join(dir, 'mood') };
  const write = (more: object) => writeFileSync(config, JSON.stringify({ script: app, env, envFile: '.env', ...more }));
  write({});
  const holdfast = new Holdfast(t, config);
  await holdfast.message('started');
  t.match(await holdfast.run('reload', '--dry-run'), { code: 0, stdout: /nothing would change/ });
  write({ instances: 3, soak: '1s' });
  writeFileSync(path.join(dir, '.env'), 'A=changed\nC=2\n');
  const { code, stdout } = await holdfast.run('reload', '--dry-run', '--json');
  t.equal(code, 0);
  const { changes } = JSON.parse(stdout) as { changes: { name: string }[] };
  t.same(changes.map(({ name }) => name).sort(), ['A', 'B', 'C', 'instances', 'soakMs']);
  t.notMatch(stdout, /secret|changed"/, 'values of the environment are not told');
  t.match(await holdfast.run('reload', '--dry-run'), { stdout: /environment +B +set +-\n/ });
  t.equal((await holdfast.status()).size, 1);
});

t.test(
  'a command before the reload has the last word, and is told with its last lines',
  { buffered: true },
  async (t) => {
    const { holdfast, dir, port } = await start(
      t,
      '--before-reload',
      'echo checking; test -e "$MOOD_FILE.ok" || { echo "no table" >&2; exit 3; }',
    );
    t.match(await holdfast.run('reload'), {
      code: 1,
      stderr: /the reload did not begin: beforeReload ended with exit code 3; the last it wrote:\nno table/,
    });
    t.equal((await holdfast.status()).generation, 1);
    t.ok(holdfast.log.some(({ hook, msg }) => hook === 'beforeReload' && msg === 'checking'));
    writeFileSync(path.join(dir, 'mood.ok'), '');
    t.equal((await holdfast.reload()).code, 0);
    t.match(await ask(port), { generation: 2 });
  },
);

t.test('--watch reloads when a file changes, but not for what is installed', { buffered: true }, async (t) => {
  const port = await freePort();
  const source = (answer: string) =>
    `require('node:http').createServer((q, r) => r.end('{"answer":"${answer}"}')).listen(${port}, '127.0.0.1');`;
  const dir = t.testdir({ 'app.cjs': source('one'), node_modules: { x: { 'index.js': '' } } });
  const holdfast = new Holdfast(t, 'app.cjs', { args: ['--watch'], cwd: dir });
  await holdfast.message('started');
  await holdfast.message('watching');
  writeFileSync(path.join(dir, 'node_modules/x/index.js'), 'changed');
  writeFileSync(path.join(dir, 'app.cjs'), source('two'));
  const { paths } = await holdfast.message('files changed');
  t.same(paths, ['app.cjs']);
  await holdfast.message('rollout done');
  t.match(await ask(port), { answer: 'two' });
});

t.test(
  'a crash loop ends the supervisor where that is asked for, and exit codes can mean no',
  { buffered: true },
  async (t) => {
    const { holdfast, port, become } = await start(
      t,
      '-i',
      '1',
      '--on-crash-loop',
      'exit',
      '--max-restarts',
      '1',
      '--backoff-base',
      '10ms',
    );
    become('crashes');
    const [worker] = (await holdfast.status()).workers;
    process.kill(worker?.pid ?? 0, 'SIGKILL');
    t.equal(await holdfast.closed, 1);
    t.match(
      holdfast.stderr,
      /cannot keep running .*more than 1 crashes within 60 s, the last one: .*exited with code 5/s,
    );
    t.ok(port);

    const other = await start(t, '-i', '1', '--stop-exit-codes', '5,64');
    other.become('crashes');
    const [first] = (await other.holdfast.status()).workers;
    process.kill(first?.pid ?? 0, 'SIGKILL');
    t.equal(await other.holdfast.closed, 0, 'nothing is left to do');
    t.match(other.holdfast.lines('slot finished'), [{ code: 5 }]);
  },
);
