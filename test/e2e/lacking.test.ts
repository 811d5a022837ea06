import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { freePort } from '../support/ports.js';
import { ask } from './support/ask.js';
import { apps, Holdfast, run } from './support/holdfast.js';

const preload = fileURLToPath(new URL('../fixtures/preloads/lacking.cjs', import.meta.url));

async function start(t: Test, what: string) {
  const port = await freePort();
  const mood = path.join(t.testdir({}), 'mood');
  writeFileSync(mood, 'good');
  const holdfast = new Holdfast(t, path.join(apps, 'release.cjs'), {
    args: ['-i', '2', '--drain-timeout', '1s'],
    env: { PORT: String(port), MOOD_FILE: mood, LACKING: what, NODE_OPTIONS: `--require ${preload}` },
  });
  await holdfast.message('started');
  return { holdfast, port };
}

t.test(
  'where listen cannot be taken over the application runs as under node:cluster, and what is missing is told',
  async (t) => {
    const { holdfast, port } = await start(t, 'listen');
    t.match(await ask(port), { mood: 'good' });
    t.match((await holdfast.message('worker lacks something')).missing, [/^sockets in custody: /]);
    const { workers, steering, steeringReason } = await holdfast.status();
    t.match(workers, Array(2).fill({ state: 'ready', missing: [/^sockets in custody: /] }));
    t.equal(steering, false);
    t.match(steeringReason, /sockets in custody: /);
    t.equal((await holdfast.run('reload')).code, 0);
    t.match(await ask(port), { mood: 'good' });
  },
);

t.test('where handles do not tell their owner the rest works, and adoption is told to be missing', async (t) => {
  const { holdfast, port } = await start(t, 'owner');
  t.match(await ask(port), { mood: 'good' });
  const { workers, steering, steeringReason } = await holdfast.status();
  t.match(workers, Array(2).fill({ state: 'ready', missing: [/^adoption: /] }));
  t.equal(steering, false);
  t.match(steeringReason, /adoption: .*the kernel goes by the weights all the same/);
});

t.test('the doctor finds out by a worker what this Node lacks', async (t) => {
  for (const [what, result, found] of [
    ['nothing', 'ok', /every internal/],
    ['owner', 'degraded', /adoption/],
    ['listen', 'degraded', /sockets in custody/],
  ] as const) {
    const env = { LACKING: what, NODE_OPTIONS: `--require ${preload}` };
    const { stdout } = await run(['doctor', '--json'], { env, runtimeDir: t.testdir() });
    const { checks } = JSON.parse(stdout) as { checks: { id: string }[] };
    t.match(
      checks.find(({ id }) => id === 'internals'),
      { result, found },
      what,
    );
  }
});
