import t from 'tap';
import type { Config } from '../../../src/config/config.js';
import type { Release } from '../../../src/supervisor/deployments/release.js';
import { beforeRollout, readRelease } from '../../../src/supervisor/takeover/replaced.js';

const like = { name: 'shop', instances: 2, args: ['a'], admin: null, handover: 'on' } as unknown as Config;
const RELEASE = {
  ...{ id: 7, script: '/srv/app.js', cwd: '/srv', fingerprint: '1 2', loadedAtMs: 1, scriptChangedAtMs: 2 },
  config: { name: 'shop', instances: 4, args: [], admin: { host: null, port: 1 }, handover: 'off' },
};
const withConfig = (more: object) => ({ ...RELEASE, config: { ...RELEASE.config, ...more } });

t.test('what the supervisor before says of its release is taken where this version would say the same', async (t) => {
  t.match(readRelease(JSON.parse(JSON.stringify(RELEASE)), like), { ...RELEASE, id: 1 });
});

t.test('what another version says in another way is not relied on', async (t) => {
  const { handover: _, ...fewer } = RELEASE.config;
  for (const value of [
    undefined,
    null,
    'release',
    {},
    { ...RELEASE, script: undefined },
    { ...RELEASE, loadedAtMs: '1' },
    { ...RELEASE, config: null },
    { ...RELEASE, config: fewer },
    withConfig({ more: 1 }),
    withConfig({ instances: '4' }),
    withConfig({ args: 'a' }),
  ]) {
    t.equal(readRelease(value, like), null, JSON.stringify(value));
  }
});

t.test(
  'until the rollout its workers run what they ran, with the options of the supervisor that has come',
  async (t) => {
    const shared = { name: 'shop', listenMode: 'auto' };
    const before = { ...RELEASE, config: { ...shared, affinity: 'none', maxRequests: 1, metricsNames: 'holdfast' } };
    const wanted = { config: { ...shared, affinity: 'client-ip', maxRequests: 2, metricsNames: 'nodejs', logKeep: 3 } };
    t.match(beforeRollout(before as unknown as Release, wanted as unknown as Release), {
      script: '/srv/app.js',
      config: { affinity: 'none', maxRequests: 1, metricsNames: 'nodejs', logKeep: 3 },
    });
  },
);
