/** `holdfast dashboard`: what it prints, what it tells of several supervisors, and its page in a browser. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import type { DashboardList } from '../../src/protocol/page.js';
import { freePort } from '../support/ports.js';
import { ask } from './support/ask.js';
import { barriers, lacksBrowser, open, picture, state } from './support/browser.js';
import { apps, bin, Holdfast, makeRuntimeDir, plainly, run } from './support/holdfast.js';

async function begin(t: Test, runtimeDir: string, ...args: string[]) {
  const command = plainly([bin, 'dashboard', '--port', '0', ...args], { HOLDFAST_RUNTIME_DIR: runtimeDir });
  const child = spawn(...command, { stdio: ['ignore', 'pipe', 'pipe'] });
  const gone = once(child, 'exit');
  t.teardown(async () => {
    child.kill('SIGKILL');
    await gone;
  });
  const said = text(child.stderr);
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const end = async () => {
    child.kill('SIGINT');
    const [code] = (await gone) as [number | null];
    return { code, stderr: await said };
  };
  return { line, end };
}

t.test('it shows every supervisor of the runtime folder, and leads to the page of each', async (t) => {
  const runtimeDir = makeRuntimeDir(t);
  const { line: url, end } = await begin(t, runtimeDir);
  t.match(url, /^http:\/\/127\.0\.0\.1:\d+\/$/);
  const list = async () => (await (await fetch(`${url}list`)).json()) as DashboardList;
  t.same(await list(), { folder: runtimeDir, rows: [] });
  const shown = lacksBrowser ? null : await open(t, Number(new URL(url).port));
  if (shown !== null) {
    await state(shown.page, /^No supervisor is running$/);
    await shown.page.locator('#empty', { hasText: 'Supervisors that are started there' }).waitFor();
    await picture(shown.page, 'dashboard-empty');
  }

  const [port, admin] = [await freePort(), await freePort()];
  const start = (name: string, port: number, ...args: string[]) =>
    new Holdfast(t, path.join(apps, 'metrics.cjs'), {
      args: ['-i', '2', '--name', name, ...args],
      env: { PORT: String(port) },
      runtimeDir,
    });
  const shop = start('shop', port, '--admin', String(admin));
  const blog = start('blog', await freePort());
  await Promise.all([shop.message('started'), blog.message('started')]);

  // Rates are between two looks.
  let rows = (await list()).rows;
  while (!((rows[1]?.facts?.requests ?? 0) > 0)) {
    await ask(port, '/a');
    rows = (await list()).rows;
  }
  t.match(rows, [
    { name: 'blog', facts: { pid: blog.pid, state: 'running', ready: 2, size: 2, page: null, restarts: 0 } },
    { name: 'shop', facts: { pid: shop.pid, generation: 1, page: `http://127.0.0.1:${admin}/` } },
  ]);
  t.ok((rows[1]?.facts?.memoryBytes ?? 0) > 10e6);

  await fetch(`http://127.0.0.1:${port}/crash`).catch(() => {});
  await shop.message('worker crashed');
  while (rows[1]?.facts?.restarts !== 1) rows = (await list()).rows;

  blog.child.kill('SIGSTOP');
  t.teardown(() => blog.child.kill('SIGCONT'));
  while (rows[0]?.facts !== null) rows = (await list()).rows;
  t.match(rows, [{ name: 'blog' }, { name: 'shop', facts: { size: 2 } }], 'the others are told all the same');

  if (shown !== null) {
    const { page, faults } = shown;
    await state(page, /^1 of 2 needs attention$/);
    t.match(await page.locator('tr.odd').textContent(), /^blogDoes not answer/);
    t.equal(await page.locator('tbody tr').count(), 2);
    t.equal(await page.locator('tbody a').count(), 1);
    t.same(await barriers(page), []);
    await picture(page, 'dashboard-1280');
    await page.setViewportSize({ width: 360, height: 800 });
    t.ok(Number(await page.evaluate('document.documentElement.scrollWidth')) <= 360);
    await picture(page, 'dashboard-360');
    t.same(faults, []);
    await page.locator('tbody a', { hasText: 'shop' }).click();
    await state(page, /^Well: 2 of 2 workers are ready$/);
    t.equal(await page.title(), 'shop – holdfast');
    await page.goBack();
    await state(page, /^1 of 2 needs attention$/);
  }
  blog.child.kill('SIGCONT');
  while (rows[0]?.facts == null) rows = (await list()).rows;
  t.match(await end(), { code: 0, stderr: `  all supervisors of ${runtimeDir}, until Ctrl-C\n` });
  if (shown !== null) {
    await shown.page.locator('#lost', { hasText: 'holdfast dashboard does not answer' }).waitFor();
    await state(shown.page, /^Connection lost$/);
  }
});

t.test('for programs it prints the URL as JSON; a port that is taken, or none, is told', async (t) => {
  const runtimeDir = makeRuntimeDir(t);
  const { line, end } = await begin(t, runtimeDir, '--json');
  const { port } = new URL((JSON.parse(line) as { url: string }).url);
  t.match(await run(['dashboard', '--port', port], { runtimeDir }), {
    code: 1,
    stdout: '',
    stderr: `holdfast: cannot listen on 127.0.0.1:${port}: EADDRINUSE\n  another dashboard may run there; give another --port`,
  });
  for (const wrong of ['65536', 'x', '-1']) {
    t.match(await run(['dashboard', `--port=${wrong}`], { runtimeDir }), {
      code: 2,
      stderr: `holdfast: cannot listen on the port ${wrong}: it is not a port number`,
    });
  }
  t.equal((await end()).code, 0);
});
