import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import t from 'tap';

interface Program {
  readonly files: readonly [string];
}

interface Plan {
  readonly named: readonly string[];
  gathered(files: readonly string[]): Map<string, { name: string; title: string; files: string[] }>;
  isUnit(file: string, importsOf: (file: string) => readonly string[] | undefined): boolean;
  inOrder(programs: Iterable<Program>): Program[];
  nextProgram(waiting: readonly Program[], running: readonly Program[], shares: number): Program | undefined;
}

const root = fileURLToPath(new URL('../../', import.meta.url));
// Checked by nobody else: the scripts are JavaScript.
const plan = (await import(pathToFileURL(path.join(root, 'scripts/test-plan.js')).href)) as Plan;

const programOf = (name: string): Program => ({ files: [`${name}.test.ts`] });
const names = (programs: readonly (Program | undefined)[]) => programs.map((program) => program?.files[0].slice(0, -8));

/** Starts all that may be, one after the other. */
function startAll(waiting: readonly Program[], shares: number): Program[] {
  const running: Program[] = [];
  for (;;) {
    const left = waiting.filter((program) => !running.includes(program));
    const program = plan.nextProgram(left, running, shares);
    if (program === undefined) return running;
    running.push(program);
  }
}

t.test('what the plan names is there', async (t) => {
  const missing = plan.named.filter((name) => !existsSync(path.join(root, 'test', `${name}.test.ts`)));
  t.same(missing, []);
});

t.test('long ones come first, those that measure time last', async (t) => {
  const given = [
    'e2e/sick',
    'cli/parse',
    'control/client/find',
    'e2e/chaos',
    'e2e/kinds',
    'systemd/unit',
    'e2e/handover',
  ];
  const expected = [
    'systemd/unit',
    'e2e/handover',
    'e2e/kinds',
    'control/client/find',
    'cli/parse',
    'e2e/chaos',
    'e2e/sick',
  ];
  t.same(names(plan.inOrder(given.map(programOf))), expected);
});

t.test('those that measure time have at most one of their kind beside them, on any machine', async (t) => {
  const timed = ['e2e/chaos', 'e2e/concurrency', 'e2e/steering'].map(programOf);
  for (const shares of [3, 5, 10, 33]) t.same(startAll(timed, shares).length, 2, `${shares} shares`);
  const other = programOf('cli/parse');
  t.same(startAll([...timed, other], 10), [other], 'nor do they start before the others have ended');
  t.equal(plan.nextProgram(timed, [other], 10), undefined);
});

t.test(
  'of those that need the one machine there is one at a time, of those that need much of a processor there are three',
  async (t) => {
    const greedy = ['e2e/handover', 'e2e/kinds', 'e2e/grpc', 'e2e/connections'];
    const given = [...greedy, 'systemd/unit', 'systemd/service', 'cli/parse'].map(programOf);
    t.same(names(startAll(given, 4)), ['e2e/handover', 'e2e/kinds'], 'where there is room for two');
    t.same(names(startAll(given, 33)), [...greedy.slice(0, 3), 'systemd/unit', 'cli/parse']);
  },
);

t.test('no more runs than there are shares', async (t) => {
  const given = Array.from({ length: 20 }, (_none, i) => programOf(`cli/${i}`));
  t.equal(startAll(given, 5).length, 5);
  t.equal(startAll([programOf('core/simulation'), ...given], 5).length, 4);
});

t.test('tests of a folder share a process, but for those that hold up others or change what Node does', async (t) => {
  const programs = plan.gathered([
    'cli/logs.test.ts',
    'cli/top/view/view.test.ts',
    'core/plan/canary.test.ts',
    'core/simulation.test.ts',
    'control/client/client.test.ts',
    'control/openapi.test.ts',
    'e2e/sick.test.ts',
    'words.test.ts',
    'worker/measure.test.ts',
    'worker/listen/paths.test.ts',
    'worker/drain/shutdown.test.ts',
    'worker/drain/tls.test.ts',
  ]);
  t.strictSame(
    [...programs].map(([name, { files }]) => [name, files.length]),
    [
      ['all-of-cli', 2],
      ['all-of-core', 1],
      ['core/simulation.test', 1],
      ['all-of-control-client', 1],
      ['all-of-control', 1],
      ['e2e/sick.test', 1],
      ['words.test', 1],
      ['worker/measure.test', 1],
      ['worker/listen/paths.test', 1],
      ['all-of-worker-drain', 2],
    ],
  );
});

t.test('a test for the desk starts no program, nor does anything of the tests that it uses', async (t) => {
  const imports: Record<string, readonly string[]> = {
    'cli/plain.test.ts': ['tap', '../support/ports.js', '../../src/cli/plain.js'],
    'support/ports.ts': ['node:net', '../cli/plain.test.js'],
    'cli/starts.test.ts': ['node:child_process'],
    'cli/by-hand.test.ts': ['../../src/spawn.js'],
    'cli/by-support.test.ts': ['../support/servers.js'],
    'support/servers.ts': ['./ports.js', 'node:child_process'],
    'e2e/plain.test.ts': [],
    'core/simulation.test.ts': [],
    'cli/doctor.test.ts': [],
  };
  const units = Object.keys(imports).filter(
    (file) => file.endsWith('.test.ts') && plan.isUnit(file, (one) => imports[one]),
  );
  t.strictSame(units, ['cli/plain.test.ts']);
});
