import t from 'tap';
import type { Change } from '../../src/protocol/control.js';
import { OK, open } from '../control/support/fake-target.js';
import { holdfast } from './support/command-line.js';

t.test('reload asks for what its flags say', async (t) => {
  const { dir: runtimeDir, target } = await open(t);
  const canary = (share: number, forMs: number) => `reload ${JSON.stringify({ canary: { share, forMs } })}`;
  const table: [flags: string, call: string][] = [
    ['', 'reload'],
    ['--canary 5%', canary(0.05, 120_000)],
    ['--canary 0.05', canary(0.05, 120_000)],
    ['--canary=0.5% --for 1h', canary(0.005, 3_600_000)],
    ['--canary 50% --for=1s', canary(0.5, 1_000)],
    ['--canary 0.5 --for 24h', canary(0.5, 86_400_000)],
    ['--promote', 'promote'],
    ['--abort', 'abort'],
    ['--dry-run', 'reload {"dryRun":true}'],
  ];
  for (const [flags, call] of table) {
    const { code, stderr } = await holdfast(['reload', ...flags.split(' ').filter(Boolean)], { runtimeDir });
    t.strictSame({ code, stderr }, { code: 0, stderr: '' }, flags);
    t.equal(target.calls.at(-1), call, flags);
  }
});

t.test('what contradicts itself or cannot be read is wrong use, and nobody is asked', async (t) => {
  const { dir: runtimeDir, target } = await open(t);
  const table: [flags: string, message: RegExp, hint: RegExp][] = [
    ['--for 2m', /cannot use --for alone/, /--canary 5%/],
    ['--promote --for 2m', /cannot use --for alone/, /--canary 5%/],
    ['--canary 5', /--canary "5"/, /at most 50%/],
    ['--canary 0', /--canary "0"/, /at most 50%/],
    ['--canary 0%', /--canary "0%"/, /at most 50%/],
    ['--canary 51%', /--canary "51%"/, /at most 50%/],
    ['--canary 100%', /--canary "100%"/, /at most 50%/],
    ['--canary=-5%', /--canary "-5%"/, /at most 50%/],
    ['--canary five', /--canary "five"/, /at most 50%/],
    ['--canary', /--canary: its value is missing/, /--canary=VALUE/],
    ['--canary 5% --for 30', /--for "30"/, /30s, 2m or 1h/],
    ['--canary 5% --for 0', /--for "0"/, /30s, 2m or 1h/],
    ['--canary 5% --for 999ms', /--for "999ms"/, /30s, 2m or 1h/],
    ['--canary 5% --for 25h', /--for "25h"/, /30s, 2m or 1h/],
  ];
  const exclusive = ['--canary 5%', '--promote', '--abort', '--dry-run'];
  for (const [i, one] of exclusive.entries()) {
    for (const other of exclusive.slice(i + 1)) {
      const [a = '', b = ''] = [one, other].map((flag) => flag.split(' ')[0]);
      const message = new RegExp(`cannot reload with ${a} and ${b} at once`);
      table.push([`${one} ${other}`, message, /one of them/], [`${other} ${one}`, message, /one of them/]);
    }
  }
  for (const [flags, message, hint] of table) {
    const { code, stdout, stderr } = await holdfast(['reload', ...flags.split(' ')], { runtimeDir });
    t.strictSame({ code, stdout }, { code: 2, stdout: '' }, flags);
    const [first = '', second = ''] = stderr.split('\n');
    t.match(first, message, flags);
    t.match(second, hint, flags);
  }
  t.strictSame(target.calls, []);
});

const CHANGES: Change[] = [
  { what: 'option', name: 'instances', from: '2', to: '3' },
  { what: 'option', name: 'health', from: null, to: '/healthz' },
  { what: 'option', name: 'beforeReload', from: 'true', to: 'npm\n\u001b[31mtest' },
  { what: 'option', name: 'args', from: null, to: null },
  { what: 'environment', name: 'ADDED', from: null, to: 'set' },
  { what: 'environment', name: 'REMOVED', from: 'set', to: null },
  { what: 'environment', name: 'CHANGED', from: 'set', to: 'set' },
  { what: 'node', name: 'node', from: 'v22.1.0', to: 'v24.0.0' },
];

t.test('a dry run shows the changes as a table, on one line each', async (t) => {
  const { dir: runtimeDir, target } = await open(t);
  target.perform = async () => ({ ok: true, message: '8 changes', reason: null, changes: CHANGES });
  const { code, stdout } = await holdfast(['reload', '--dry-run'], { runtimeDir });
  t.equal(code, 0);
  const [headline, ...lines] = stdout.trimEnd().split('\n');
  t.equal(headline, 'shop: 8 changes');
  t.strictSame(
    lines.map((line) => line.split(/ {2,}/)),
    [
      ['what', 'name', 'now', 'then'],
      ['option', 'instances', '2', '3'],
      ['option', 'health', '-', '/healthz'],
      ['option', 'beforeReload', 'true', 'npm [31mtest'],
      ['option', 'args', '-', 'changed'],
      ['environment', 'ADDED', '-', 'set'],
      ['environment', 'REMOVED', 'set', '-'],
      ['environment', 'CHANGED', 'set', 'changed'],
      ['node', 'node', 'v22.1.0', 'v24.0.0'],
    ],
  );
});

t.test('a dry run without changes says so in one line', async (t) => {
  const { dir: runtimeDir, target } = await open(t);
  target.perform = async () => ({ ok: true, message: 'nothing would change', reason: null, changes: [] });
  const people = await holdfast(['reload', '--dry-run'], { runtimeDir });
  t.strictSame(people, { code: 0, stdout: 'shop: nothing would change\n', stderr: '' });
});

t.test('a dry run gives programs the changes as they are', async (t) => {
  const { dir: runtimeDir, target } = await open(t);
  for (const changes of [[], CHANGES]) {
    target.perform = async () => ({ ...OK, changes });
    const { code, stdout } = await holdfast(['reload', '--dry-run', '--json'], { runtimeDir });
    t.equal(code, 0);
    t.strictSame(JSON.parse(stdout), { type: 'result', ...OK, changes });
  }
});

t.test('what the supervisor does not do ends with 1, and with what was asked for', async (t) => {
  const { dir: runtimeDir, target } = await open(t);
  target.perform = async () => ({ ok: false, message: 'failed', reason: 'there is no canary' });
  for (const [flag, verb] of [
    ['--promote', 'promote'],
    ['--abort', 'abort'],
    ['--dry-run', 'compare'],
    ['--canary=5%', 'reload'],
  ] as const) {
    const { code, stdout, stderr } = await holdfast(['reload', flag], { runtimeDir });
    t.strictSame({ code, stdout }, { code: 1, stdout: '' });
    t.match(stderr, `holdfast: cannot ${verb} shop: there is no canary\n`);
  }
});
