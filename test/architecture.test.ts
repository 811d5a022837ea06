import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const src = fileURLToPath(new URL('../src/', import.meta.url));

/** Which folders a folder may import from; files of src itself go by their own names. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  core: ['protocol', 'monotonic', 'latency'],
  worker: ['protocol'],
  page: ['protocol'],
  native: ['errors'],
  sockets: ['core', 'native', 'protocol', 'errors', 'monotonic'],
  platform: ['native', 'sockets', 'protocol', 'errors'],
  config: ['errors', 'nearest'],
  logs: ['config', 'protocol', 'errors', 'terminal-text', 'make-folder'],
  systemd: ['core', 'sockets', 'native', 'protocol', 'errors', 'spawn'],
  monitor: ['protocol', 'latency'],
  control: ['protocol', 'errors', 'nearest', 'make-folder'],
  supervisor: [
    'core',
    'sockets',
    'native',
    'platform',
    'systemd',
    'config',
    'logs',
    'monitor',
    'control',
    'protocol',
    'errors',
    'monotonic',
    'latency',
    'spawn',
    'replaced-slots',
  ],
  cli: [
    'supervisor',
    'platform',
    'systemd',
    'config',
    'control',
    'logs',
    'protocol',
    'errors',
    'nearest',
    'latency',
    'replaced-slots',
    'spawn',
    'terminal-text',
    'make-folder',
  ],
  // Of the command line only how a process begins without what NODE_OPTIONS preload.
  api: ['control', 'protocol', 'errors', 'platform', 'cli'],
  index: ['public'],
  protocol: ['public'],
  public: [],
  errors: [],
  nearest: [],
  latency: [],
  'replaced-slots': [],
  spawn: [],
  'make-folder': [],
  'terminal-text': [],
  monotonic: [],
};

/** Libraries that only these folders may know. */
const OWNERS: Readonly<Record<string, string | readonly string[]>> = {
  koffi: 'native',
  pino: 'logs',
  'pino-pretty': 'logs',
  'rotating-file-stream': 'logs',
  pidusage: 'monitor',
  uplot: 'page',
  'zod/mini': 'config',
  yaml: 'config',
  'terminal-kit': 'cli',
  yargs: 'cli',
  'yargs-parser': 'cli',
  croner: ['config', 'supervisor'],
  chokidar: 'supervisor',
  ws: 'supervisor',
};

const IMPORT = /(?:from|import|import\()\s*'([^']+)'/g;

t.test('imports go one way', async (t) => {
  const wrong: string[] = [];
  let count = 0;
  for (const file of readdirSync(src, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue;
    const from = roomOf(file);
    for (const [, specifier = ''] of readFileSync(path.join(src, file), 'utf8').matchAll(IMPORT)) {
      if (specifier.startsWith('node:')) continue;
      count += 1;
      if (!specifier.startsWith('.')) {
        if (![OWNERS[specifier]].flat().includes(from)) wrong.push(`${file} imports ${specifier}`);
        continue;
      }
      const to = roomOf(path.join(path.dirname(file), specifier));
      if (to !== from && !ARROWS[from]?.includes(to)) wrong.push(`${file} imports ${to}`);
    }
  }
  t.ok(count > 100, `${count} imports were looked at`);
  t.same(wrong, []);
});

/** Tables: one row after the other, of one thing. */
const TABLES: ReadonlySet<string> = new Set([
  'src/protocol.ts',
  'src/core/state/types.ts',
  'src/cli/command-line/catalog.ts',
  'src/config/schema/schema.ts',
  'src/config/pm2/keys.ts',
]);
const MOST_LINES = 300;

t.test(`no file has more than ${MOST_LINES} lines, but tables`, async (t) => {
  const root = path.join(src, '..');
  const lines = new Map<string, number>();
  for (const folder of ['src', 'bench', 'scripts', 'bin']) {
    for (const file of readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })) {
      if (!/\.[cm]?[jt]s$/.test(file)) continue;
      const name = path.join(folder, file);
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

t.test('the supervisor loads neither the command-line parser nor the schema library', async (t) => {
  t.same(librariesOf('cli/start.ts'), [], 'before the first worker: none');
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

function roomOf(file: string): string {
  const [room = ''] = path.normalize(file).split(path.sep);
  return room.replace(/\.[jt]s$/, '');
}
