/** The variables that a script of package.json sees, of those that applications read. Pure. */
import path from 'node:path';
import { type Manifest, textsOf } from './manifest.js';

/** https://docs.npmjs.com/cli/using-npm/scripts#environment */
export function scriptVariables(
  { folder, contents }: Manifest,
  script: { readonly name: string; readonly text: string },
): Record<string, string> {
  const { name, version, config } = contents;
  const settings = typeof config === 'object' && config !== null ? Object.entries(config) : [];
  return {
    npm_lifecycle_event: script.name,
    npm_lifecycle_script: script.text,
    npm_package_json: path.join(folder, 'package.json'),
    ...textsOf({ npm_package_name: name, npm_package_version: version }),
    ...Object.fromEntries(settings.map(([key, value]) => [`npm_package_config_${key}`, String(value)])),
  };
}
