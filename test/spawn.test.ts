import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { spawning } from '../src/spawn.js';

/** How many descriptors are left to a start: of some numbers the streams take the last, and the process finds none. */
const LEFT = Array.from({ length: 14 }, (_, index) => index);

t.test('a process that did not start for want of descriptors leaves none open', async (t) => {
  // The first of all opens what stays.
  await outcome(start());
  const before = openFiles();
  const limit = limitFiles(String(Math.max(...before) + 20));
  t.teardown(() => limitFiles(limit));
  const starts: string[] = [];
  for (const left of LEFT) {
    const taken = openAll();
    for (const fd of taken.splice(0, left)) closeSync(fd);
    const one = outcome(start());
    for (const fd of taken) closeSync(fd);
    starts.push(await one);
  }
  t.ok(starts.includes('EMFILE') && starts.includes('started'), starts.join(' '));
  t.equal(openFiles().length, before.length);
});

t.test('what is changed of a start is changed, and only of that', async (t) => {
  const changed = spawning(
    () => spawn('/bin/false'),
    (given) => ({ ...given, file: '/bin/echo', args: ['echo', 'changed'] }),
  );
  t.equal(await text(changed.stdout), 'changed\n');
  t.equal(await text(spawn('/bin/echo', ['as it is']).stdout), 'as it is\n');
});

function start(): ChildProcess {
  return spawning(() => spawn(process.execPath, ['-e', '0'], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] }));
}

function outcome(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', ({ code }: NodeJS.ErrnoException) => resolve(String(code)));
    child.once('close', () => resolve('started'));
    child.stdout?.resume();
    child.stderr?.resume();
  });
}

/** @returns the limit before */
function limitFiles(soft: string): string {
  const own = `--pid=${process.pid}`;
  const before = execFileSync('prlimit', [own, '--nofile', '--output=SOFT', '--noheadings'], { encoding: 'utf8' });
  execFileSync('prlimit', [own, `--nofile=${soft}:`]);
  return before.trim();
}

function openAll(): number[] {
  const files: number[] = [];
  for (;;) {
    try {
      files.push(openSync('/dev/null', 'r'));
    } catch {
      return files;
    }
  }
}

function openFiles(): number[] {
  return readdirSync('/proc/self/fd').map(Number);
}
