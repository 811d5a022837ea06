// The words under which the bundled libraries may be passed on.
import { readdirSync, readFileSync } from 'node:fs';

const PACKAGE = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//;
/** Where the notice of each ends, and what most of them say alike begins. */
const TERMS = /^(?:Permission|Redistribution)\b[\s\S]*/m;

/**
 * Each library with its version, licence and copyright, and below all that have the same terms these terms, once.
 *
 * @param {readonly string[]} files that are in the bundle
 * @throws where a library has no licence
 */
export function licences(files) {
  const folders = new Set(files.map((file) => PACKAGE.exec(file)?.[0]));
  folders.delete(undefined);
  const sections = new Map();
  for (const folder of [...folders].sort()) {
    const { name, version, license } = JSON.parse(readFileSync(`${folder}package.json`, 'utf8'));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    if (file === undefined) throw new Error(`cannot bundle ${name}: it has no licence`);
    const text = readFileSync(folder + file, 'utf8').trim();
    const [terms = text] = TERMS.exec(text) ?? [];
    const notice = text.slice(0, text.length - terms.length).trim();
    const key = terms.replace(/\s+/g, ' ');
    const section = sections.get(key) ?? { notices: [], terms };
    section.notices.push(`${name} ${version} (${license})\n${notice.replace(/\s*\n\s*/g, '\n')}`);
    sections.set(key, section);
  }
  const texts = [...sections.values()].map(({ notices, terms }) => `${[...notices, terms].join('\n\n')}\n`);
  return `This package contains code of these.\n\n${texts.join(`\n${'-'.repeat(80)}\n\n`)}`;
}
