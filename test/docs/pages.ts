/** The pages of the documentation, and what is on them: links, headings, blocks of code. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));

/** Every page for users, relative to the repository. docs/design.md is for those who change holdfast: it is reached, but leads nowhere. */
export const GUIDES = pagesIn('docs').filter((page) => page !== 'docs/design.md');

/** All Markdown of the repository that may have links. */
export const PAGES = [...pagesIn('.', false), ...pagesIn('docs')];

export const read = (page: string) => readFileSync(path.join(root, page), 'utf8');

export interface Block {
  readonly language: string;
  readonly text: string;
}

export function blocksOf(page: string): Block[] {
  return [...read(page).matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, language = '', text = '']) => ({
    language,
    text,
  }));
}

/** What is no code: links in examples are none. */
export function proseOf(page: string): string {
  return read(page).replaceAll(/^```[\s\S]*?^```$/gm, '');
}

/** Where the links and pictures of a page lead, as they are written. */
export function linksOf(page: string): string[] {
  return [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
}

/** As GitHub makes them: https://docs.github.com/en/get-started/writing-on-github, section links. */
export function anchorsOf(page: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading = ''] of proseOf(page).matchAll(/^#{1,6} (.+)$/gm)) {
    const slug = heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-');
    let anchor = slug;
    for (let i = 1; anchors.has(anchor); i++) anchor = `${slug}-${i}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** Why a link leads nowhere; null where it leads somewhere, or out of the repository. */
export function faultOf(page: string, target: string): string | null {
  if (/^[a-z]+:/.test(target)) return null;
  const [file = '', anchor] = target.split('#');
  const wanted = file === '' ? page : path.join(path.dirname(page), file);
  if (!existsSync(path.join(root, wanted))) return `there is no ${wanted}`;
  if (anchor === undefined || anchorsOf(wanted).has(anchor)) return null;
  return `${wanted} has no heading #${anchor}`;
}

function pagesIn(folder: string, below = true): string[] {
  return readdirSync(path.join(root, folder), { recursive: below, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => path.join(folder, name))
    .sort();
}
