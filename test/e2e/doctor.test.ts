import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { json, text } from 'node:stream/consumers';
import t from 'tap';
import type { DoctorReport } from '../../src/platform/doctor.js';
import { bin, makeRuntimeDir, plainly, run } from './support/holdfast.js';

function find({ checks }: DoctorReport, id: string) {
  return checks.find((check) => check.id === id);
}

t.test('the doctor tells programs and people the same', async (t) => {
  const runtimeDir = path.join(makeRuntimeDir(t), 'run');
  const programs = await run(['doctor', '--json'], { runtimeDir });
  const report = JSON.parse(programs.stdout) as DoctorReport;
  t.equal(programs.code, report.ok ? 0 : 1);
  t.equal(programs.stderr === '', report.ok, programs.stderr);

  const people = await run(['doctor'], { runtimeDir });
  t.equal(people.code, programs.code);
  for (const { title } of report.checks) t.ok(people.stdout.includes(`\n${title} `), title);
  for (const { promise } of report.promises) t.ok(people.stdout.includes(promise), promise);
  t.ok(
    people.stdout.split('\n').every((line) => line.length <= 100),
    'no line is wider than 100 columns',
  );
  t.equal(existsSync(runtimeDir), false, 'nothing is left behind');
});

t.test('the doctor sees the limit of open files that it runs under', async (t) => {
  const [command, args] = plainly([bin, 'doctor', '--json'], { HOLDFAST_RUNTIME_DIR: makeRuntimeDir(t) });
  const child = spawn('sh', ['-c', 'ulimit -n 256 && exec "$@"', 'sh', command, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'close');
  const report = (await json(child.stdout)) as DoctorReport;
  await ended;
  t.match(find(report, 'openFiles'), {
    result: 'degraded',
    found: /soft 256, hard 256/,
    meaning: /216 connections|needs about/,
    remedy: /ulimit -n/,
  });
  t.match(find(report, 'reuseAddr'), { result: 'ok' }, 'and has enough of them itself');
});

t.test('the doctor ends with 1 and the remedy where no supervisor can start', async (t) => {
  const dir = makeRuntimeDir(t);
  writeFileSync(path.join(dir, 'file'), '');
  const { code, stdout, stderr } = await run(['doctor', '--json'], { runtimeDir: path.join(dir, 'file/below') });
  t.equal(code, 1);
  t.match(find(JSON.parse(stdout) as DoctorReport, 'runtimeFolder'), { result: 'missing', found: /ENOTDIR/ });
  t.match(stderr, /^holdfast: cannot keep promises 1, 2,.*\n {2}set HOLDFAST_RUNTIME_DIR to a folder of your own\n/);
  t.notMatch(stderr, /^\s+at /m);
});

t.test('a reader that goes away is no error of the doctor', async (t) => {
  const [command, args] = plainly([bin, 'doctor'], { HOLDFAST_RUNTIME_DIR: makeRuntimeDir(t) });
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.destroy();
  const ended = once(child, 'close');
  t.notMatch(await text(child.stderr), /EPIPE|^\s+at /m);
  await ended;
});
