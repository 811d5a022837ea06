/** What has become of the keys of PM2's file, as people read it; and which of its applications were asked for. Pure. */
import type { LoadedApplication } from '../../config/load.js';
import type { Invocation } from '../process/context.js';

/** One line for all that is the same here, and one for each key that is not. */
export function notesText({ config, notes }: Pick<LoadedApplication, 'notes'> & { config: { name: string } }): string {
  if (notes.length === 0) return '';
  const of = (wanted: string) => notes.filter(({ verdict }) => verdict === wanted);
  const width = Math.max(...notes.map(({ key }) => key.length));
  const lines = [
    ...of('other').map(({ key, says }) => `  ${key.padEnd(width)}  means something else: ${says}`),
    ...of('ignored').map(({ key, says }) => `  ${key.padEnd(width)}  ignored: ${says}`),
  ];
  const taken = of('taken').map(({ key }) => key);
  const same = taken.length === 0 ? 'nothing is taken over as it is' : `taken over: ${taken.join(', ')}`;
  return `holdfast: ${config.name}, from PM2's file; ${same}\n${lines.map((line) => `${line}\n`).join('')}`;
}

/** `--only api,worker`; null if it was not given. */
export function onlyOf({ flags }: Invocation): readonly string[] | null {
  const { only } = flags;
  if (typeof only !== 'string') return null;
  const words = only.split(',').map((word) => word.trim());
  return words.filter((word) => word !== '');
}
