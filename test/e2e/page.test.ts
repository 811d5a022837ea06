/** The page of the admin address in a real browser: Debian's `chromium`, headless. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import t, { type Test } from 'tap';
import { AdminServer } from '../../src/control/admin/admin.js';
import type { PageEvent, PageWorker } from '../../src/protocol/page.js';
import { statusOf } from '../control/support/fake-target.js';
import { freePort } from '../support/ports.js';
import { barriers, lacksBrowser, open, picture, state } from './support/browser.js';
import { apps, Holdfast, root } from './support/holdfast.js';
import { type Shop, startShop } from './support/shop.js';

const skip = lacksBrowser;

/** Where nothing is changed, one does for several tests. */
let quiet: Promise<Shop> | undefined;
const begin = (t: Test) => startShop(t, ['-i', '3', '--name', 'shop'], { SECRET: 'do-not-tell' });
function beginQuiet(): Promise<Shop> {
  quiet ??= begin(t);
  return quiet;
}

t.test(
  'it shows how things are, and what happens: a reload, a crash, a canary that is rolled back',
  { skip },
  async (t) => {
    const { holdfast, port, admin, stopLoad } = await begin(t);
    const { page, faults } = await open(t, admin);
    await state(page, /^Well: 3 of 3 workers are ready$/);
    t.match(await page.title(), /^shop/);
    t.match(await page.locator('#facts').textContent(), /Generation 1 /);
    t.equal(await page.locator('#workers tbody tr').count(), 3);
    t.equal(await page.locator('#charts canvas').count(), 8);
    await page
      .locator('#glance b')
      .filter({ hasText: /^[1-9]/ })
      .first()
      .waitFor();

    t.equal((await holdfast.reload()).code, 0);
    await page.locator('#history li', { hasText: 'Reload: generation 2' }).waitFor();
    await page.locator('#facts', { hasText: 'Generation 2 ' }).waitFor();
    await state(page, /^Well/);
    await page.locator('#rollout', { hasText: 'Generation 2 has taken over from 1' }).waitFor();

    await fetch(`http://127.0.0.1:${port}/crash`).catch(() => {});
    await page
      .locator('#history li', { hasText: /Crash: slot \d: a worker exited with code 3 while it served/ })
      .waitFor();
    await state(page, /^Well/);

    const canary = holdfast.run('reload', '--canary', '30%', '--for', '10m');
    await page.locator('#rollout td').first().waitFor();
    t.match(await page.locator('#rollout').textContent(), /The canary in slot 3 has 30 % of new connections/);
    await picture(page, 'canary-light');
    t.equal((await holdfast.run('reload', '--abort')).code, 0);
    await canary;
    await page.locator('#rollout', { hasText: 'was rolled back' }).waitFor();
    await page.locator('#history li', { hasText: 'Rolled back: generation 3' }).waitFor();

    t.equal((await holdfast.scale(2)).code, 0);
    await page.locator('#history li', { hasText: 'Scale: from 3 to 2 slots' }).waitFor();
    await state(page, /^Well: 2 of 2/);
    // A mark says why where one points at it.
    const over = page.locator('#charts .u-over').first();
    const box = await over.boundingBox();
    for (let x = (box?.width ?? 0) - 1; x > 0 && (await page.locator('#tip').isHidden()); x -= 4)
      await over.hover({ position: { x, y: 20 } });
    t.match(await page.locator('#tip').textContent(), /(?:Reload|Crash|Rolled back|Scale): /);

    await stopLoad();
    t.equal((await holdfast.stop()).code, 0);
    await page.locator('#lost', { hasText: 'The supervisor stopped at ' }).waitFor();
    await state(page, /^Stopped$/);
    t.notMatch(await page.content(), /do-not-tell/);
    t.same(faults, []);
  },
);

t.test('a connection that is lost is told, and made again', { skip }, async (t) => {
  const { holdfast, admin } = await beginQuiet();
  const { page, faults } = await open(t, admin);
  await state(page, /^Well/);
  holdfast.child.kill('SIGSTOP');
  t.teardown(() => holdfast.child.kill('SIGCONT'));
  await state(page, /^Connection lost$/);
  await picture(page, 'lost-light');
  holdfast.child.kill('SIGCONT');
  await state(page, /^Well/);
  t.ok(await page.locator('#lost').isHidden());
  t.same(faults, []);
});

t.test('whatever a worker prints is text', { skip }, async (t) => {
  const { port, admin } = await beginQuiet();
  const { page, faults } = await open(t, admin);
  await state(page, /^Well/);
  await fetch(`http://127.0.0.1:${port}/say`);
  await page.locator('#log div', { hasText: 'red' }).waitFor();
  await page.locator('#log div', { hasText: 'xxxxxxxx' }).first().waitFor();
  const log = (await page.locator('#log').textContent()) ?? '';
  t.match(log, '<img src=x onerror="document.title=1"><script>document.title=1</script>');
  t.match(log, 'red  and plain');
  t.notOk(log.includes('\u001b'));
  t.ok(log.length < 300_000, `${log.length} characters`);
  t.equal(await page.locator('#log img, #log script').count(), 0);
  t.match(await page.title(), /^shop/);
  await page.locator('#filter').fill('AND plain');
  t.equal(await page.locator('#log div').count(), 1);
  t.same(faults, []);
});

t.test(
  'by the keyboard alone, on a phone and on a wall, light and dark, and with a screen reader',
  { skip },
  async (t) => {
    const { admin } = await beginQuiet();
    for (const scheme of ['light', 'dark'] as const) {
      const { page, faults } = await open(t, admin, scheme);
      await state(page, /^Well/);
      await page
        .locator('#glance b')
        .filter({ hasText: /^[1-9]/ })
        .first()
        .waitFor();
      for (const width of [360, 1280, 2560]) {
        await page.setViewportSize({ width, height: 900 });
        const wide = await page.evaluate('document.documentElement.scrollWidth');
        t.ok(Number(wide) <= width, `${width} px: it is ${wide} px wide`);
        await picture(page, `${scheme}-${width}`);
        t.same(await barriers(page), [], `${scheme}, ${width} px`);
      }
      t.same(faults, []);
      if (scheme === 'dark') continue;
      const focused = () => page.evaluate('document.activeElement.textContent');
      const tabTo = async (text: RegExp) => {
        for (let i = 0; i < 40 && !text.test(String(await focused())); i++) await page.keyboard.press('Tab');
        t.match(await focused(), text);
      };
      await tabTo(/^Skip to the workers$/);
      await tabTo(/^Theme: system$/);
      await page.keyboard.press('Enter');
      await page.keyboard.press('Enter');
      t.equal(await page.locator('html').getAttribute('data-theme'), 'dark');
      await tabTo(/^Memory$/);
      await page.keyboard.press('Enter');
      t.equal(await page.locator('#workers th[aria-sort]').textContent(), 'Memory');
      t.equal(await page.locator('#workers th[aria-sort]').getAttribute('aria-sort'), 'descending');
      t.match(await page.locator('#charts figcaption').first().textContent(), /requests: [\d.]+ now, at most [\d.]+/);
    }
  },
);

t.test('where others can come it takes the token, once', { skip }, async (t) => {
  const dir = t.testdir({ token: 'a-token-of-some-length\n' });
  const [port, admin] = [await freePort(), await freePort()];
  const holdfast = new Holdfast(t, path.join(apps, 'metrics.cjs'), {
    args: ['--admin', `:${admin}`, '--admin-token-file', path.join(dir, 'token')],
    env: { PORT: String(port) },
  });
  await holdfast.message('started');
  const { page, faults } = await open(t, admin);
  await state(page, /^A token is required$/);
  t.ok(await page.locator('#main').isHidden());
  await picture(page, 'login-light');
  t.same(await barriers(page), []);
  await page.locator('#token').fill('another-token-altogether');
  await page.keyboard.press('Enter');
  await page.locator('#wrong', { hasText: 'This is not the token.' }).waitFor();
  await page.locator('#token').fill('a-token-of-some-length');
  await page.keyboard.press('Enter');
  await state(page, /^Well/);
  await page.reload();
  await state(page, /^Well/);
  t.notMatch(page.url(), /token/);

  await page.locator('#size').fill('3');
  await page.locator('#scale').click();
  await page.locator('#question', { hasText: 'Have 3 workers in place of 1?' }).waitFor();
  t.same(await barriers(page), []);
  await page.keyboard.press('Escape');
  await page.locator('#reload').click();
  await page.locator('#question', { hasText: 'Replace all workers' }).waitFor();
  await page.locator('#no').click();
  t.same(holdfast.lines('rollout started'), [], 'no is no');
  await page.locator('#scale').click();
  await page.locator('#yes').click();
  await state(page, /^Well: 3 of 3/);
  await page.locator('#reload').click();
  await page.locator('#yes').click();
  await page.locator('#history li', { hasText: 'Reload: generation 2' }).waitFor();
  t.same(faults, []);
});

t.test('64 workers have room, and one that is not like the others stands out', { skip }, async (t) => {
  const admin = await freePort();
  const worker = (slot: number): PageWorker => ({
    ...{ id: slot + 1, slot, generation: 3, pid: 1000 + slot, state: 'ready', uptimeMs: 60_000, restarts: 0 },
    ...{ restartReason: null, requests: 12, errors: 0, p99Ms: 20, loopDelayMs: 1, cpu: 0.1, connections: 4 },
    ...{ memoryBytes: (slot === 41 ? 300 : 60) * 1024 ** 2, got: 1 / 64 },
  });
  const workers = Array.from({ length: 64 }, (_none, slot) => worker(slot));
  const sockets = workers.map(({ slot }) => ({ slot, weight: 10, queueLength: 0, backlog: 511 }));
  const target = {
    probe: () => ({ ok: true, reason: '' }),
    status: async () => statusOf('shop'),
    metrics: async () => ({ contentType: '', body: Buffer.alloc(0) }),
    command: async () => ({ ok: true, message: '', reason: null }),
    follow(onEvent: (event: PageEvent) => void) {
      onEvent({ event: 'history', data: { at: [], values: [], marks: [] } });
      const tell = () => {
        const addresses = [{ kind: 'tcp' as const, host: '0.0.0.0', port: 80, sockets }];
        const status = { ...statusOf('shop', { size: 64, addresses, steering: true }), release: '/srv/app' };
        const values = [768, 1, 5, 20, 1, 4e9, 6, 256, 0];
        onEvent({ event: 'now', data: { at: Date.now() / 1000, values, status, workers } });
      };
      const timer = setInterval(tell, 1_000);
      tell();
      return () => clearInterval(timer);
    },
  };
  const server = await AdminServer.open({
    ...{ host: '127.0.0.1', port: admin, names: [], tokens: { admin: null, metrics: null }, target },
    readPage: (name) => readFile(path.join(root, `dist/page/${name}.br`)),
  });
  t.teardown(() => server.close());
  const { page, faults } = await open(t, admin);
  await state(page, /^Well: 64 of 64/);
  t.equal(await page.locator('#workers tbody tr').count(), 64);
  t.equal(
    await page.locator('#differs').textContent(),
    'Not like the others: slot 41: memory 5.0 times that of the others',
  );
  t.equal(await page.locator('#workers tr.odd').count(), 1);
  await picture(page, 'many-light-1280');
  await page.setViewportSize({ width: 360, height: 800 });
  // Also in the frame in which the charts are as wide as the page was before.
  const widen = "for (const chart of document.querySelectorAll('#charts .uplot')) chart.style.width = '600px'";
  t.ok(Number(await page.evaluate(`${widen}; document.documentElement.scrollWidth`)) <= 360, 'no wider than a phone');
  t.same(await barriers(page), []);
  t.same(faults, []);
});
