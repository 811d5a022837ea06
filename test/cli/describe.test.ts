import t from 'tap';
import { describeApplication, moment } from '../../src/cli/output/describe-view.js';
import type { Description } from '../../src/protocol/control.js';
import { open, statusOf } from '../control/support/fake-target.js';
import { holdfast } from './support/command-line.js';

const DESCRIPTION: Description = {
  status: statusOf('shop'),
  worker: null,
  atMs: 7_262_000,
  release: {
    generation: 3,
    folder: '/srv/releases/42',
    script: '/srv/releases/42/server.js',
    loadedAtMs: 62_000,
    scriptChangedAtMs: 0,
    file: '/srv/holdfast.yaml',
    resolved: 'npm start \u2192 node server.js',
  },
  settings: [
    { name: 'surge', value: '2', source: 'command line', path: '--surge' },
    { name: 'health', value: null, source: 'default', path: '' },
  ],
  environment: [
    { name: 'A', value: 'x'.repeat(100), source: 'env' },
    { name: 'EVIL', value: 'a\u001b[2Jb', source: 'env' },
  ],
  restarts: [
    { atMs: 62_000, what: 'crashed', slot: 0, reason: 'boom\nat line 1' },
    { atMs: 7_200_000, what: 'rolledBack', slot: null, reason: 'not ready' },
  ],
};

t.test('shows the release, what was restarted and why, each option with its source, and the environment', async (t) => {
  const text = describeApplication(DESCRIPTION, { colour: false });
  t.match(text, /^shop {2}pid/);
  t.match(text, /\nrelease\n {2}generation +3\n {2}folder +\/srv\/releases\/42\n/);
  t.match(text, / {2}script +\/srv\/releases\/42\/server\.js \(npm start .* node server\.js\)\n/);
  t.match(text, / {2}loaded +[\d-]{10} [\d:]{8} \(2h 0m ago\)\n/);
  const [, restarts = ''] = text.split('last restarts and reloads\n');
  t.match(
    restarts,
    /^time +slot {2}what +why\n.*\(1m 2s ago\) +- +rolled back {2}not ready\n.* 0 +replaced +boom at line 1\n/,
  );
  t.match(text, /\nsurge +2 +command line: --surge\nhealth +- +default\n/);
  t.match(text, /\nEVIL +a \[2Jb +env\n/);
  t.notOk(text.includes('\u001b'));
  t.match(describeApplication(DESCRIPTION, { colour: false, columns: 80 }), /\nA +x+… +env\n/);
  t.equal(moment(0, 500).length, '1970-01-01 00:00:00 (500ms ago)'.length);
});

t.test('of nothing there is to show it says so', async (t) => {
  const text = describeApplication({ ...DESCRIPTION, restarts: [], environment: [] }, { colour: true });
  t.match(text, /restarts and reloads\S*\n {2}none\n/);
  t.match(text, /environment\S*\n {2}as inherited\n/);
});

t.test('describe and env ask for an application, a worker, and secrets only on demand', async (t) => {
  const { dir: runtimeDir, target } = await open(t);
  target.answerDescribe = async () => DESCRIPTION;
  const people = await holdfast(['describe'], { runtimeDir });
  t.equal(people.code, 0, people.stderr);
  t.match(people.stdout, /^shop {2}pid[\s\S]*\nsurge/);
  t.same(JSON.parse((await holdfast(['show', 'shop', '3', '--json'], { runtimeDir })).stdout), DESCRIPTION);
  await holdfast(['env', '2', '--show-secrets'], { runtimeDir });
  const { stdout } = await holdfast(['env', 'shop', '--json'], { runtimeDir });
  t.equal(JSON.parse(stdout).A, 'x'.repeat(100));
  t.match((await holdfast(['env'], { runtimeDir })).stdout, /^name +value +source\nA +x{100} +env\n/);
  t.same(target.calls, [
    'describe {"secrets":false}',
    'describe {"of":3,"secrets":false}',
    'describe {"of":2,"secrets":true}',
    'describe {"of":"first","secrets":false}',
    'describe {"of":"first","secrets":false}',
  ]);
});

t.test('a worker that there is not, and words that mean nothing', async (t) => {
  const { dir: runtimeDir, target } = await open(t);
  target.answerDescribe = undefined as never;
  target.describe = async () => {
    const { HoldfastError } = await import('../../src/errors.js');
    throw new HoldfastError('NO_WORKER', 'there is no worker 9');
  };
  t.match(await holdfast(['env', '9'], { runtimeDir }), {
    code: 1,
    stderr: 'holdfast: cannot describe shop: there is no worker 9\n  which there are: holdfast status --name shop\n',
  });
  t.match(await holdfast(['describe', 'shop', 'api'], { runtimeDir }), {
    code: 2,
    stderr: /"api": describe takes one name and one N/,
  });
  t.equal((await holdfast(['describe', 'shpo'], { runtimeDir })).code, 3);
  target.describe = async () => ({ ...DESCRIPTION, settings: [{}] }) as never;
  t.match(await holdfast(['describe'], { runtimeDir }), { code: 1, stderr: /cannot describe shop/ });
});
