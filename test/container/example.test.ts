import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { loadConfig } from '../../src/config/load.js';
import { parseDuration } from '../../src/config/schema/duration.js';
import { parseSize } from '../../src/config/schema/size.js';
import { sourceIn } from '../config/support.js';
import { Holdfast, plainly, root } from '../e2e/support/holdfast.js';
import { freePort } from '../support/ports.js';
import { answerOf } from './support/answer.js';
import { execForm, parseDockerfile } from './support/dockerfile.js';
import { buildImage, Container, whyNot } from './support/image.js';

const folder = path.join(root, 'examples/container');
const read = (name: string) => readFileSync(path.join(folder, name), 'utf8');
const { shop } = parse(read('compose.yaml')).services;
const reason = whyNot();

t.test('compose.yaml agrees with the configuration and the image', async (t) => {
  const { limits } = shop.deploy.resources;
  const resources = { processors: Number(limits.cpus), memoryBytes: parseSize(limits.memory) ?? 0 };
  const { config } = await loadConfig(sourceIn(folder, { target: 'holdfast.yaml', resources }));
  t.ok(
    (parseDuration(shop.stop_grace_period) ?? 0) >= config.drainTimeoutMs + config.killTimeoutMs,
    'it has time to drain',
  );
  t.match(config, { instances: 2, maxMemoryBytes: Math.floor(resources.memoryBytes * 0.4) });
  t.ok(config.maxMemoryBytes! > 80 * 1024 ** 2, 'enough for a worker to live in');

  const steps = parseDockerfile(read('Dockerfile')).at(-1)!.steps;
  const step = (name: string) => steps.find((one) => one.name === name)?.text ?? '';
  t.same(shop.healthcheck.test, ['CMD', ...execForm(step('HEALTHCHECK').replace('CMD ', ''))]);
  t.equal(shop.stop_signal, step('STOPSIGNAL'));
  const [mount = ''] = shop.tmpfs;
  t.match(step('ENV'), `HOLDFAST_RUNTIME_DIR=${mount}/`, 'a folder below the mount point');
  t.match(step('RUN'), `install -d -m 1777 ${mount}`);
  t.match(step('USER'), /^[1-9]\d*:[1-9]\d*$/);
  t.same(shop.ports, [`${step('EXPOSE')}:${step('EXPOSE')}`]);
  t.match(shop, { read_only: true, cap_drop: ['ALL'] });
  t.notOk('init' in shop);
});

t.test('the lock file has the dependencies that holdfast has', async (t) => {
  const wanted = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  const locked = JSON.parse(read('package-lock.json')).packages['node_modules/holdfast'];
  const { dependencies, optionalDependencies, version } = wanted;
  t.match(locked, { dependencies, optionalDependencies, version }, 'if not: npm run example:container');
});

t.test('its application runs, and is drained within the time that it has', async (t) => {
  const port = await freePort();
  const holdfast = new Holdfast(t, 'holdfast.yaml', { cwd: folder, env: { PORT: String(port) } });
  await holdfast.message('started');
  const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } });
  t.match(await response.json(), { shop: 'open', slot: /^\d+$/ });
  t.equal((await holdfast.run('reload')).code, 0);
  holdfast.child.kill('SIGTERM');
  t.equal(await holdfast.closed, 0);
});

t.test('its image serves, is healthy, and stops', { skip: reason ?? false, timeout: 120_000 }, async (t) => {
  const context = mkdtempSync(path.join(os.tmpdir(), 'hf-example-'));
  t.teardown(() => rmSync(context, { recursive: true }));
  cpSync(folder, context, { recursive: true });
  const [command, words] = plainly([path.join(root, 'scripts/pack-example.js'), context]);
  const packed = spawnSync(command, words, { cwd: root, encoding: 'utf8' });
  t.equal(packed.status, 0, packed.stderr);
  const image = buildImage(t, context);
  const port = await freePort();
  const container = new Container(t, image, { env: { PORT: String(port) } });
  t.match(await answerOf(port, container), { shop: 'open' });
  t.equal(await container.exec(image.healthcheck), 0);
  container.stop();
  t.equal(await container.closed, 0);
});
