/** What npm runs before and after a script of a package.json, beside it. */
import { Unreadable } from '../../text/text-file.js';
import { quoted } from '../command/told.js';
import { type Manifest, scriptOf } from './manifest.js';

/**
 * What runs before it would run with every start, and nobody would wait for it.
 *
 * @param label what the owner has named
 * @throws Unreadable where there is any
 */
export function refuseCompanions(
  manifest: Manifest,
  { name, text, label }: { readonly name: string; readonly text: string; readonly label: string },
): void {
  for (const other of [`pre${name}`, `post${name}`]) {
    const command = scriptOf(manifest, other);
    if (command === null) continue;
    throw new Unreadable(
      `must be one command; ${label} runs ${other} as well (${command}): run that in your deployment, and give ${quoted(text)} alone`,
    );
  }
}
