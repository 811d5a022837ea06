/** The check whether workers go on without their supervisor: with real ones. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import t, { type Test } from 'tap';
import { ensureRuntimeDir } from '../../src/control/runtime-dir.js';
import type { Machine } from '../../src/platform/checks/check.js';
import { takeover } from '../../src/platform/checks/takeover.js';
import { thisMachine } from '../../src/platform/doctor.js';

function machine(t: Test, change: Partial<Machine> = {}): Machine {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'hf-doctor-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const env = { PATH: process.env.PATH };
  return { ...thisMachine({ env, runtimeDir: dir, ensureRuntimeDir }), ...change };
}

t.test('a worker goes on, comes to the next supervisor, and is seen as its own', async (t) => {
  const facts = await takeover.collect(machine(t), new AbortController().signal);
  t.same(facts, { failure: null, isSeen: true, isFirst: false });
});

t.test('without proc(5) the next supervisor would not find it', async (t) => {
  const facts = await takeover.collect(machine(t, { root: t.testdir({}) }), new AbortController().signal);
  t.same(facts, { failure: null, isSeen: false, isFirst: false });
});

t.test('a worker that ends with its supervisor is told', async (t) => {
  const preload = path.join(
    t.testdir({ 'preload.cjs': "process.on('internalMessage', ({ type }) => type === 'socket' && process.exit(7));" }),
    'preload.cjs',
  );
  const env = { PATH: process.env.PATH, NODE_OPTIONS: `--require ${JSON.stringify(preload)}` };
  const facts = await takeover.collect(machine(t, { env }), new AbortController().signal);
  t.match(facts, { failure: 'the worker ended with code 7' });
});

t.test('a Node in which a worker cannot do without its supervisor is told', async (t) => {
  const preload = path.join(t.testdir({ 'preload.cjs': 'process._disconnect = undefined;' }), 'preload.cjs');
  const env = { PATH: process.env.PATH, NODE_OPTIONS: `--require ${JSON.stringify(preload)}` };
  const facts = await takeover.collect(machine(t, { env }), new AbortController().signal);
  t.match(facts, { failure: /^the worker ended with / });
});

t.test('who is told to give up leaves no folder behind', async (t) => {
  // Other doctors may be at work on this machine.
  const dir = mkdtempSync(path.join(os.tmpdir(), 'hf-tmp-'));
  const { TMPDIR } = process.env;
  process.env.TMPDIR = dir;
  t.teardown(() => {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
    rmSync(dir, { recursive: true, force: true });
  });
  const subject = machine(t);
  const giveUp = new AbortController();
  const collected = takeover.collect(subject, giveUp.signal);
  while (!readdirSync(dir).some((name) => name.startsWith('holdfast-doctor-'))) await new Promise(setImmediate);
  giveUp.abort();
  await t.rejects(collected, { name: 'AbortError' }, 'under way');
  await t.rejects(takeover.collect(subject, giveUp.signal), { name: 'AbortError' }, 'not begun');
  await takeover.collect(subject, new AbortController().signal);
  t.same(
    readdirSync(dir).filter((name) => name.startsWith('holdfast-')),
    [],
  );
});
