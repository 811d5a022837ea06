import { chmodSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import type { DoctorReport } from '../../src/platform/doctor.js';
import { makeFolder } from '../control/support/fake-target.js';
import { holdfast } from './support/command-line.js';

function reportOf(stdout: string): DoctorReport {
  return JSON.parse(stdout) as DoctorReport;
}

t.test('the exit code and stderr say what the report says', async (t) => {
  const { code, stdout, stderr } = await holdfast(['doctor', '--json'], {
    runtimeDir: path.join(makeFolder(t), 'run'),
  });
  const report = reportOf(stdout);
  t.equal(code, report.ok ? 0 : 1);
  t.equal(stderr === '', report.ok);
  t.same(Object.keys(report), ['ok', 'promises', 'checks']);
  for (const check of report.checks) {
    t.same(Object.keys(check), ['id', 'title', 'result', 'found', 'meaning', 'remedy'], check.id);
  }
});

t.test('people get a table', async (t) => {
  const { stdout } = await holdfast(['doctor'], { runtimeDir: path.join(makeFolder(t), 'run') });
  t.match(stdout, /^promise +here\n1 +\S+ +A reload loses nothing\n/);
  t.match(stdout, /^check +result +what was found\nSO_REUSEPORT +\S/m);
  t.match(stdout, /^ +means: /m);
});

t.test('colours are for terminals', async (t) => {
  const runtimeDir = path.join(makeFolder(t), 'run');
  for (const terminal of [true, false]) {
    const { stdout } = await holdfast(['doctor'], { runtimeDir, terminal });
    t.equal(stdout.includes('\u001b'), terminal);
  }
});

t.test('a runtime folder that is unsafe, or of no use, ends with 1 and the remedy', async (t) => {
  const dir = makeFolder(t);
  const inDir = (name: string) => path.join(dir, name);
  writeFileSync(inDir('file'), '');
  mkdirSync(inDir('open'));
  chmodSync(inDir('open'), 0o755);
  symlinkSync(dir, inDir('link'));
  for (const [runtimeDir, reason, remedy] of [
    [inDir('file/below'), /ENOTDIR/, /HOLDFAST_RUNTIME_DIR/],
    [inDir('file'), /it is not a folder/, /HOLDFAST_RUNTIME_DIR/],
    [inDir('open'), /mode 0755/, /chmod 700/],
    [inDir('link'), /it is a symbolic link/, /HOLDFAST_RUNTIME_DIR/],
    [inDir('x'.repeat(120)), /a unix socket's may have/, /HOLDFAST_RUNTIME_DIR/],
  ] as const) {
    const { code, stdout, stderr } = await holdfast(['doctor', '--json'], { runtimeDir });
    t.equal(code, 1, runtimeDir);
    const { ok, promises, checks } = reportOf(stdout);
    t.equal(ok, false);
    t.equal(promises[0]?.state, 'broken');
    t.match(
      checks.find(({ id }) => id === 'runtimeFolder'),
      { result: 'missing', found: reason, remedy },
    );
    t.match(stderr, /^holdfast: cannot keep promises 1, 2,.* and [346]: runtime folder: cannot /);
    t.match(stderr, remedy);
    t.notMatch(stderr, /^\s+at /m);
  }
  t.equal(existsSync(inDir('x'.repeat(120))), false);
});
