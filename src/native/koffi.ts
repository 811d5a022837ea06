/**
 * Loads koffi by the package of this platform that it consists of, where that can be had: its own entry file looks at all that
 * node:util exports, and what Node loads for that takes half as long as a worker's start.
 */
import { createRequire } from 'node:module';

export type Koffi = typeof import('koffi');

export const KOFFI = 'koffi';

/** @throws what its own entry file throws */
export function loadKoffi(packageName: string = KOFFI): Koffi {
  const require = createRequire(import.meta.url);
  return (packageName === KOFFI ? platformPart(require) : null) ?? (require(packageName) as Koffi);
}

/** null where it is not there, or not as it is known: its entry file knows why. */
function platformPart(require: NodeJS.Require): Koffi | null {
  try {
    // From where koffi is: it is koffi's own dependency.
    const near = createRequire(require.resolve(KOFFI));
    const { version } = near('./package.json') as { readonly version: string };
    const part = near(`@koromix/koffi-${process.platform}-${process.arch}`) as Partial<Koffi>;
    const calls = [part.load, part.errno, part.struct, part.pointer, part.sizeof];
    // Its entry file would refuse one of another version.
    const isKnown = part.version === version && calls.every((call) => typeof call === 'function');
    return isKnown ? (part as Koffi) : null;
  } catch {
    return null;
  }
}
