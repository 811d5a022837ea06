import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { ARROWS, LISTS, OWNERS, RING, TABLES } from './arrows.js';

const src = fileURLToPath(new URL('../src/', import.meta.url));

const IMPORT = /(?:from|import|import\()\s*'([^']+)'/g;

t.test('imports go one way', async (t) => {
  const wrong: string[] = [];
  const used = new Set<string>();
  let count = 0;
  for (const file of readdirSync(src, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue;
    const from = roomOf(file);
    for (const [, specifier = ''] of readFileSync(path.join(src, file), 'utf8').matchAll(IMPORT)) {
      if (specifier.startsWith('node:')) continue;
      count += 1;
      if (!specifier.startsWith('.')) {
        const owners = [OWNERS[specifier] ?? []].flat();
        if (!owners.some((owner) => isWithin(from, owner))) wrong.push(`${file} imports ${specifier}`);
        continue;
      }
      const to = roomOf(path.join(path.dirname(file), specifier));
      if (to === from) continue;
      const arrows = ARROWS[from]?.filter((arrow) => leadsTo(from, arrow, to)) ?? [];
      if (arrows.length === 0) wrong.push(`${file} imports ${to}`);
      for (const arrow of arrows) used.add(`${from} → ${arrow}`);
    }
  }
  t.ok(count > 100, `${count} imports were looked at`);
  t.same(wrong, []);
  const needless = Object.entries(ARROWS).flatMap(([from, tos]) => tos.map((to) => `${from} → ${to}`));
  t.same(
    needless.filter((arrow) => !used.has(arrow)),
    [],
    'arrows that no import needs',
  );
});

t.test('no room leads back to itself', async (t) => {
  const rooms = Object.keys(ARROWS);
  const leads = new Map(
    rooms.map((from) => [
      from,
      rooms.filter((to) => to !== from && ARROWS[from]?.some((arrow) => leadsTo(from, arrow, to))),
    ]),
  );
  const reachedFrom = (from: string): ReadonlySet<string> => {
    const seen = new Set<string>();
    const visit = (room: string) => {
      for (const next of leads.get(room) ?? []) {
        if (seen.has(next)) continue;
        seen.add(next);
        visit(next);
      }
    };
    visit(from);
    return seen;
  };
  t.same(
    rooms.filter((room) => reachedFrom(room).has(room)),
    RING,
  );
});

const MOST_LINES = 300;

t.test(`no file has more than ${MOST_LINES} lines, but tables`, async (t) => {
  const root = path.join(src, '..');
  const lines = new Map<string, number>();
  for (const folder of ['src', 'bench', 'scripts', 'bin', 'test']) {
    for (const name of filesIn(root, folder)) {
      if (!/\.[cm]?[jt]s$/.test(name)) continue;
      lines.set(name, readFileSync(path.join(root, name), 'utf8').trimEnd().split('\n').length);
    }
  }
  t.ok(lines.size > 100, `${lines.size} files were looked at`);
  const long = [...lines].filter(([, count]) => count > MOST_LINES).map(([name]) => name);
  t.same(
    long.filter((name) => !TABLES.has(name)),
    [],
    'divide them by what they are about',
  );
  t.same(
    [...TABLES].filter((name) => !long.includes(name)),
    [],
    'a table that is short needs no exception',
  );
});

/** Without hidden folders: the runner compiles tests into one, which comes and goes. */
function filesIn(root: string, folder: string): string[] {
  return readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const name = path.join(folder, entry.name);
    if (entry.name.startsWith('.')) return [];
    return entry.isDirectory() ? filesIn(root, name) : [name];
  });
}

const MOST_FILES = 12;

t.test(`no folder has more than ${MOST_FILES} files side by side, but lists of like ones`, async (t) => {
  const counts = new Map<string, number>();
  for (const entry of readdirSync(src, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const folder = path.relative(src, entry.parentPath);
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  t.ok(counts.size > 20, `${counts.size} folders were looked at`);
  const full = [...counts].filter(([, count]) => count > MOST_FILES).map(([folder]) => folder);
  t.same(
    full.filter((folder) => !LISTS.has(folder)),
    [],
    'give them rooms by what they are about',
  );
  t.same(
    [...LISTS].filter((folder) => !full.includes(folder)),
    [],
    'a list that is short needs no exception',
  );
});

t.test('the supervisor loads neither the command-line parser nor the schema library', async (t) => {
  t.same(librariesOf('cli/start/start.ts'), [], 'before the first worker: none');
  t.same(librariesOf('supervisor/process/run.ts'), ['pino'], 'pidusage, too, waits until somebody asks');
});

t.test('what observes is loaded by its name alone, when somebody does', async (t) => {
  t.notOk(modulesOf('supervisor/process/run.ts').some((file) => /observe\/observer|monitor\/(?!usage)/.test(file)));
  t.notOk(readFileSync(path.join(src, 'worker/preload.ts'), 'utf8').match(/import \{[^}]*\} from '\.\/measure\.js'/));
});

/** What a file loads, and what it loads in turn, as long as nothing is asked for. */
function librariesOf(file: string): string[] {
  return walk(file).libraries;
}

function modulesOf(file: string): string[] {
  return walk(file).modules;
}

function walk(file: string): { libraries: string[]; modules: string[] } {
  const outside = new Set<string>();
  const seen = new Set<string>();
  const visit = (file: string) => {
    if (seen.has(file)) return;
    seen.add(file);
    const text = readFileSync(file, 'utf8').replaceAll(/import type [^;]+;/gs, '');
    for (const [, specifier = ''] of text.matchAll(/from\s*'([^']+)'/g)) {
      if (specifier.startsWith('.')) visit(path.resolve(path.dirname(file), specifier.replace(/\.js$/, '.ts')));
      else if (!specifier.startsWith('node:')) outside.add(specifier);
    }
  };
  visit(path.join(src, file));
  return { libraries: [...outside].sort(), modules: [...seen].map((one) => path.relative(src, one)) };
}

t.test('the core knows no clock, no timer, no chance and no input or output', async (t) => {
  for (const file of readdirSync(path.join(src, 'core'), { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue;
    const text = readFileSync(path.join(src, 'core', file), 'utf8');
    t.notMatch(text, /Date\.now|performance\.|setTimeout|setInterval|Math\.random|node:|\bawait\b|process\.\w/, file);
  }
});

/** The innermost one that has arrows of its own. */
function roomOf(file: string): string {
  const names = path
    .normalize(file)
    .replace(/\.[jt]s$/, '')
    .split(path.sep);
  for (let length = names.length; length > 1; length--) {
    const room = names.slice(0, length).join('/');
    if (room in ARROWS) return room;
  }
  return names[0] ?? '';
}

function leadsTo(from: string, arrow: string, to: string): boolean {
  return to === arrow || (isWithin(to, arrow) && !isWithin(from, arrow));
}

function isWithin(room: string, folder: string): boolean {
  return room === folder || room.startsWith(`${folder}/`);
}
