import path from 'node:path';
import t from 'tap';
import type { Config } from '../../src/config/config.js';
import type { LoadedConfig } from '../../src/config/load.js';
import { initialState } from '../../src/core/state.js';
import type { Log } from '../../src/logs/logger.js';
import { policyFor, type Release } from '../../src/supervisor/release.js';
import { Releases } from '../../src/supervisor/releases.js';

t.test('of two reloads at once the later one is the newest, though the earlier one takes longer to read', async (t) => {
  const cwd = t.testdir({ 'app.js': '' });
  const config = { script: 'app.js', cwd, instances: 1 } as unknown as Config;
  const first: Release = { id: 1, config, script: path.join(cwd, 'app.js'), cwd, fingerprint: '' };
  const state = initialState({ size: 1, listenMode: 'reuseaddr', steered: false, policy: policyFor(first) });
  const log = { logger: { warn: () => {} } } as unknown as Log;

  let finishSlow: (loaded: LoadedConfig) => void = () => {};
  const slow = new Promise<LoadedConfig>((resolve) => {
    finishSlow = resolve;
  });
  const loaded = (instances: number): LoadedConfig => ({ config: { ...config, instances }, file: null, warnings: [] });
  const reads = [slow, Promise.resolve(loaded(3))];
  const releases = new Releases(first, () => reads.shift() ?? Promise.reject(new Error('read too often')), log);

  const order: number[] = [];
  const renewals = [1, 2].map((n) => releases.next(() => state).then(() => order.push(n)));
  // The second one has nothing to wait for but its turn.
  await new Promise((resolve) => setImmediate(resolve));
  finishSlow(loaded(2));
  await Promise.all(renewals);
  t.same(order, [1, 2]);
  t.equal(releases.newest.config.instances, 3);
});

t.test('a configuration that cannot be read does not hold up the next reload', async (t) => {
  const cwd = t.testdir({ 'app.js': '' });
  const config = { script: 'app.js', cwd, instances: 1 } as unknown as Config;
  const first: Release = { id: 1, config, script: path.join(cwd, 'app.js'), cwd, fingerprint: '' };
  const state = initialState({ size: 1, listenMode: 'reuseaddr', steered: false, policy: policyFor(first) });
  const reads = [Promise.reject(new Error('broken')), Promise.resolve({ config, file: null, warnings: [] })];
  reads[0]?.catch(() => {});
  const releases = new Releases(first, () => reads.shift() as Promise<LoadedConfig>, {} as Log);
  await t.rejects(
    releases.next(() => state),
    { message: 'broken' },
  );
  t.match(await releases.next(() => state), { release: { config }, size: null });
});

t.test(
  'a setting of the supervisor itself is warned of where it has changed, not where it reads the same',
  async (t) => {
    const cwd = t.testdir({ 'app.js': '' });
    const configWith = (port: number) =>
      ({ script: 'app.js', cwd, instances: 1, admin: { host: null, port } }) as unknown as Config;
    const first: Release = { id: 1, config: configWith(1), script: path.join(cwd, 'app.js'), cwd, fingerprint: '' };
    const state = initialState({ size: 1, listenMode: 'reuseaddr', steered: false, policy: policyFor(first) });
    const warned: unknown[] = [];
    const log = { logger: { warn: (fields: unknown) => warned.push(fields) } } as unknown as Log;
    const ports = [1, 2];
    const read = async () => ({ config: configWith(ports.shift() ?? 0), file: null, warnings: [] });
    const releases = new Releases(first, read, log);
    await releases.next(() => state);
    t.same(warned, []);
    await releases.next(() => state);
    t.same(warned, [{ option: 'admin' }]);
  },
);
