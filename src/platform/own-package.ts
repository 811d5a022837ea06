/** What holdfast's own package.json says. */
import { readFileSync } from 'node:fs';

export interface OwnPackage {
  readonly version: string;
  readonly engines: { readonly node: string };
}

export function ownPackage(): OwnPackage {
  // Two folders up from here, and from the bundle as well: dist/program.
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as OwnPackage;
}
