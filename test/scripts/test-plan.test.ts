import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import t from 'tap';

interface Program {
  readonly files: readonly [string];
}

interface Plan {
  readonly named: readonly string[];
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
  const given = ['e2e/sick', 'cli/parse', 'e2e/chaos', 'e2e/kinds', 'systemd/unit', 'e2e/handover'].map(programOf);
  const expected = ['systemd/unit', 'e2e/handover', 'e2e/kinds', 'cli/parse', 'e2e/chaos', 'e2e/sick'];
  t.same(names(plan.inOrder(given)), expected);
});

t.test('those that measure time have at most one of their kind beside them, on any machine', async (t) => {
  const timed = ['e2e/chaos', 'e2e/concurrency', 'e2e/steering'].map(programOf);
  for (const shares of [3, 5, 10, 33]) t.same(startAll(timed, shares).length, 2, `${shares} shares`);
  const other = programOf('cli/parse');
  t.same(startAll([...timed, other], 10), [other], 'nor do they start before the others have ended');
  t.equal(plan.nextProgram(timed, [other], 10), undefined);
});

t.test('of those that need a processor, or the one machine, there is one at a time', async (t) => {
  const given = ['e2e/handover', 'e2e/kinds', 'systemd/unit', 'systemd/service', 'cli/parse'].map(programOf);
  t.same(names(startAll(given, 5)), ['e2e/handover', 'systemd/unit', 'cli/parse']);
  t.same(names(startAll(given, 33)), ['e2e/handover', 'systemd/unit', 'cli/parse']);
});

t.test('no more runs than there are shares', async (t) => {
  const given = Array.from({ length: 20 }, (_none, i) => programOf(`cli/${i}`));
  t.equal(startAll(given, 5).length, 5);
  t.equal(startAll([programOf('core/simulation'), ...given], 5).length, 4);
});
