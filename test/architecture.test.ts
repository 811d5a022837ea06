import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const src = fileURLToPath(new URL('../src/', import.meta.url));

/**
 * Which rooms a room may import from. A room is a folder, without the rooms within it that are named here as well; of src itself
 * each file is one. Who may import from a folder may from all that is in it, unless the folder is around himself.
 */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  // From the state to what is done with it: `core` itself is the step and what is asked beside it.
  core: ['core/plan', 'core/worker', 'core/rollout', 'core/restarts', 'core/adoption', 'core/state', 'protocol'],
  'core/plan': ['core/worker', 'core/rollout', 'core/state', 'protocol', 'latency'],
  'core/worker': ['core/rollout', 'core/restarts', 'core/adoption', 'core/state', 'protocol'],
  'core/rollout': ['core/restarts', 'core/state'],
  'core/restarts': ['core/state'],
  'core/adoption': ['core/state', 'protocol'],
  'core/steering': ['core/state'],
  'core/state': ['protocol', 'monotonic'],
  // `worker` itself is the preload, and what it loads by name.
  worker: [
    'worker/application',
    'worker/channel',
    'worker/connections',
    'worker/datagrams',
    'worker/drain',
    'worker/handover',
    'worker/listen',
    'worker/node',
    'worker/outlive',
    'protocol',
  ],
  'worker/drain': [
    'worker/application',
    'worker/channel',
    'worker/connections',
    'worker/datagrams',
    'worker/handover',
    'worker/listen',
    'worker/node',
    'worker/outlive',
    'protocol',
  ],
  'worker/handover': [
    'worker/application',
    'worker/channel',
    'worker/connections',
    'worker/listen',
    'worker/node',
    'protocol',
  ],
  'worker/listen': ['worker/channel', 'worker/node', 'worker/outlive', 'protocol'],
  'worker/datagrams': ['worker/channel', 'worker/node', 'protocol'],
  'worker/outlive': ['worker/application', 'worker/node', 'protocol'],
  'worker/application': ['worker/channel', 'protocol'],
  'worker/connections': ['worker/node', 'protocol'],
  'worker/channel': ['worker/node', 'protocol'],
  'worker/node': [],
  page: ['protocol'],
  native: ['errors'],
  'sockets/custody': ['sockets', 'sockets/bind', 'sockets/address', 'native', 'protocol', 'monotonic'],
  // Those from outside, and the program that steers.
  sockets: ['sockets/bind', 'sockets/address', 'sockets/handles', 'native', 'protocol'],
  'sockets/bind': ['sockets/address', 'sockets/handles', 'native', 'protocol', 'errors'],
  'sockets/address': ['core/adoption', 'protocol'],
  'sockets/handles': ['native'],
  platform: ['native', 'sockets', 'protocol', 'errors'],
  // `config` itself puts together what the others have read.
  config: ['config/program', 'config/file', 'config/pm2', 'config/layers', 'config/schema', 'config/text'],
  'config/init': ['config/file', 'config/pm2', 'config/schema'],
  'config/file': ['config/pm2', 'config/layers', 'config/schema', 'config/text', 'nearest'],
  'config/pm2': ['config/layers', 'config/schema', 'config/text', 'nearest'],
  'config/layers': ['config/schema', 'nearest'],
  'config/schema': ['errors'],
  'config/program': ['config/program/package', 'config/program/command', 'config/text', 'nearest'],
  'config/program/package': ['config/program/command', 'config/text'],
  'config/program/command': [],
  'config/text': ['nearest'],
  logs: ['logs/sinks', 'logs/lines', 'config', 'protocol', 'terminal-text'],
  'logs/sinks': ['logs/lines', 'config', 'errors', 'make-folder'],
  'logs/lines': ['protocol', 'terminal-text'],
  systemd: ['core', 'sockets', 'native', 'errors', 'spawn'],
  monitor: ['monitor/formats', 'protocol', 'latency'],
  'monitor/formats': [],
  'control/server': ['control/client', 'control/options', 'control', 'protocol', 'errors'],
  'control/client': ['control/options', 'control', 'protocol', 'errors', 'nearest'],
  'control/admin': ['control', 'protocol'],
  'control/options': ['protocol'],
  control: ['errors', 'make-folder'],
  supervisor: [
    'supervisor/events',
    'supervisor/pid-one',
    'supervisor/workers/channel',
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
  ],
  'supervisor/events': ['core/state', 'protocol', 'replaced-slots'],
  'supervisor/pid-one': ['native'],
  'supervisor/workers/channel': ['protocol'],
  // `cli` itself is where the program begins.
  cli: ['cli/start', 'cli/command-line', 'cli/process', 'supervisor'],
  'cli/start': [
    'cli/several',
    'cli/prepare',
    'cli/output',
    'cli/process',
    'supervisor',
    'platform',
    'config',
    'control',
    'errors',
    'spawn',
    'make-folder',
  ],
  'cli/several': ['cli/prepare', 'cli/process', 'supervisor', 'systemd', 'logs', 'errors', 'spawn', 'terminal-text'],
  // The next three are a ring: see RING.
  'cli/prepare': ['cli/command-line', 'cli/process', 'platform', 'config', 'errors', 'spawn'],
  'cli/command-line': [
    'cli/commands',
    'cli/output',
    'cli/process',
    'platform',
    'config',
    'protocol',
    'errors',
    'nearest',
  ],
  'cli/commands': [
    'cli/command-line',
    'cli/prepare',
    'cli/dashboard',
    'cli/gone',
    'cli/logs',
    'cli/output',
    'cli/process',
    'cli/progress',
    'cli/top',
    'cli/unit',
    'supervisor',
    'platform',
    'systemd',
    'config',
    'control',
    'logs',
    'protocol',
    'errors',
    'nearest',
    'terminal-text',
  ],
  'cli/top': ['cli/top/view', 'cli/top/model', 'cli/output', 'cli/process', 'control'],
  'cli/top/view': ['cli/top/model', 'cli/output', 'protocol', 'replaced-slots'],
  'cli/top/model': ['cli/output', 'control', 'protocol', 'latency'],
  'cli/dashboard': ['cli/top/model', 'control', 'protocol'],
  'cli/progress': ['cli/output', 'cli/process', 'control', 'protocol', 'errors', 'replaced-slots'],
  'cli/unit': ['cli/output', 'cli/process', 'platform', 'systemd', 'config', 'errors', 'spawn'],
  'cli/logs': ['cli/process', 'config', 'control', 'logs', 'protocol', 'errors'],
  'cli/gone': ['cli/output', 'supervisor', 'control', 'errors'],
  'cli/output': ['cli/process', 'platform', 'config', 'control', 'protocol', 'errors', 'terminal-text'],
  'cli/process': ['platform', 'control', 'errors', 'terminal-text'],
  // Of the command line only how a process begins without what NODE_OPTIONS preload.
  api: ['control', 'protocol', 'errors', 'platform', 'cli/process'],
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

/**
 * The only rooms that lead back to themselves: the catalogue has every command, and loads it when it runs; one of them writes what
 * is in the catalogue for a shell, and `start` hands what it has read to the process that has asked for it by these very words.
 */
const RING: readonly string[] = ['cli/prepare', 'cli/command-line', 'cli/commands'];

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
  'terminal-kit': 'cli/top',
  yargs: 'cli/command-line',
  'yargs-parser': 'cli/command-line',
  croner: ['config/schema', 'supervisor'],
  chokidar: 'supervisor',
  ws: 'supervisor',
};

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

/** Tables of another kind: many like files, one for each thing. */
const LISTS: ReadonlySet<string> = new Set([
  // One for each command.
  'cli/commands',
  // One for each part of the page.
  'page',
  // One for each check of the doctor.
  'platform/checks',
]);
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
