import path from 'node:path';
import t, { type Test } from 'tap';
import type { Config } from '../../../src/config/config.js';
import type { LoadedConfig } from '../../../src/config/load.js';
import { initialState } from '../../../src/core/state/state.js';
import type { Log } from '../../../src/logs/logger.js';
import { policyFor, type Release } from '../../../src/supervisor/deployments/release.js';
import { Releases } from '../../../src/supervisor/deployments/releases.js';

function rig(t: Test, reads: Partial<Config>[]) {
  const cwd = t.testdir({ 'app.js': '' });
  const config = { script: 'app.js', cwd, instances: 1, admin: { host: null, port: 1 } } as unknown as Config;
  const first: Release = {
    id: 1,
    config,
    script: path.join(cwd, 'app.js'),
    cwd,
    fingerprint: '',
    loadedAtMs: 0,
    scriptChangedAtMs: 0,
  };
  const state = initialState({ size: 1, listenMode: 'reuseaddr', policy: policyFor(first) });
  const warned: unknown[] = [];
  const log = { logger: { warn: (fields: unknown) => warned.push(fields) } } as unknown as Log;
  const read = async (): Promise<LoadedConfig> => ({
    config: { ...config, ...reads.shift() },
    file: null,
    resolved: null,
    warnings: [],
    origins: { settings: [], variables: {} },
  });
  return { releases: new Releases(first, read, log), state, warned };
}

t.test('the size is that of the configuration where it has changed there', async (t) => {
  const { releases, state } = rig(t, [{ instances: 1 }, { instances: 3 }]);
  t.equal(releases.sizeOf(await releases.next(), state), null);
  t.equal(releases.sizeOf(await releases.next(), state), 3);
});

t.test('a release is kept while it is held, and for as long as the core has it', async (t) => {
  const { releases, state } = rig(t, [{}, {}]);
  const held = await releases.next();
  releases.forget(state);
  const generation = { ...state, policies: { ...state.policies, 2: policyFor(held) } };
  t.equal(releases.of(generation, 2), held);
  releases.letGo(held, generation);
  t.equal(releases.of(generation, 2), held);
  releases.forget(state);
  t.throws(() => releases.of(generation, 2), { message: 'generation 2 has no release' });
});

t.test(
  'a setting of the supervisor itself is warned of where it has changed, not where it reads the same',
  async (t) => {
    const { releases, warned } = rig(t, [{}, { admin: { host: '127.0.0.1', port: 2 }, logKeep: 3 }]);
    await releases.next();
    t.same(warned, []);
    await releases.next();
    t.same(warned, [{ option: 'logKeep' }, { option: 'admin' }]);
  },
);
