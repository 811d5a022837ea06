/** What holdfast's own package.json says. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface OwnPackage {
  readonly version: string;
  readonly engines: { readonly node: string };
}

/** Of a file of the package, by its path from the package's root. */
export function ownFile(file: string): string {
  return fileURLToPath(new URL(`../../${file}`, import.meta.url));
}

export function ownPackage(): OwnPackage {
  // Two folders up from here, and from the bundle as well: dist/program.
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as OwnPackage;
}
