import type { Config } from '../../../src/config/config.js';
import type { Release } from '../../../src/supervisor/deployments/release.js';

/** A release of which nothing but its number matters. */
export function releaseWith(id: number): Release {
  const config = { script: 'app.js', cwd: '/', instances: 1, health: null } as unknown as Config;
  return { id, config, script: '/app.js', cwd: '/', fingerprint: '', loadedAtMs: 0, scriptChangedAtMs: 0 };
}
