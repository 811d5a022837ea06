import { readFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import type { Config } from '../../../src/config/config.js';
import { createLog } from '../../../src/logs/logger.js';
import type { HookOptions, HookResult } from '../../../src/supervisor/deployments/hook.js';
import type { Release } from '../../../src/supervisor/deployments/release.js';
import { factsOf, Hooks, variablesOf } from '../../../src/supervisor/hooks/hooks.js';
import { defaults, until } from '../../logs/support.js';
import { withResolvers } from '../support/with-resolvers.js';

function releaseWith(t: Test, hooks: Config['hooks'], hookTimeoutMs = 20_000): Release {
  const cwd = t.testdir({});
  const config = { name: 'shop', env: { OWN: 'own' }, hooks, hookTimeoutMs } as unknown as Config;
  return { id: 1, config, cwd, script: '', fingerprint: '', loadedAtMs: 0, scriptChangedAtMs: 0 };
}

function logIn(t: Test) {
  const log = createLog({ ...defaults, logFile: path.join(t.testdir({}), 'app.log') });
  const lines: Record<string, unknown>[] = [];
  log.follow((line) => lines.push(JSON.parse(line)));
  return { log, lines };
}

/** Hooks whose commands a test ends. */
function fake(t: Test) {
  const calls: { options: HookOptions; end: (result: HookResult) => void }[] = [];
  const { log, lines } = logIn(t);
  const run = (options: HookOptions) => {
    const { promise, resolve } = withResolvers<HookResult>();
    calls.push({ options, end: resolve });
    options.signal?.addEventListener('abort', () => resolve({ ok: false, reason: `ended: ${options.signal?.reason}` }));
    return promise;
  };
  const hooks = new Hooks({ log, run, lastMs: 0 });
  return { hooks, calls, lines };
}

t.test('a hook has the facts as JSON on its standard input and as variables', async (t) => {
  const { log } = logIn(t);
  const hooks = new Hooks({ log });
  const command = 'cat > in.json; env > out.env; echo "$HOLDFAST_EVENT $OWN" > done';
  const release = releaseWith(t, { rolledBack: command });
  hooks.heard('rollback started', { generation: 3 }, 2, () => release);
  hooks.heard('rollback done', { reason: 'worker 5 crashed\nError: \0no' }, 2, () => release);
  await hooks.close();
  const file = (name: string) => readFileSync(path.join(release.cwd, name), 'utf8');
  t.equal(file('done'), 'rolledBack own\n');
  const facts = { event: 'rolledBack', name: 'shop', generation: 2, otherGeneration: 3, slot: null };
  t.match(JSON.parse(file('in.json')), { ...facts, reason: 'worker 5 crashed\nError: no', time: /^\d{4}-/ });
  t.match(file('out.env'), /^HOLDFAST_OTHER_GENERATION=3$/m);
  t.match(file('out.env'), /^HOLDFAST_REASON=worker 5 crashed$/m);
  t.notMatch(file('out.env'), /HOLDFAST_SLOT/);
});

t.test(
  'a hook that does not read its standard input, and one that fails, is told in the log and nothing else',
  async (t) => {
    const { log, lines } = logIn(t);
    const hooks = new Hooks({ log });
    const release = releaseWith(t, { reloaded: 'exec <&-; echo oh >&2; exit 3' });
    hooks.heard('rollout done', {}, 2, () => release);
    await hooks.close();
    t.match(
      lines.find(({ msg }) => msg === 'hook failed'),
      {
        level: 'warn',
        hook: 'hooks.reloaded',
        reason: /^hooks.reloaded ended with exit code 3; the last it wrote:\noh$/,
      },
    );
  },
);

t.test('one that hangs is ended with all that it has started when its time is over', async (t) => {
  const { log, lines } = logIn(t);
  const hooks = new Hooks({ log });
  const release = releaseWith(t, { reloaded: 'trap "" TERM; sleep 60 & echo $! > pid; wait; wait' }, 300);
  hooks.heard('rollout done', {}, 2, () => release);
  await until(() => lines.some(({ msg }) => msg === 'hook failed'));
  t.match(lines.at(-1), { reason: /did not end within 0.3 s/ });
  const pid = Number(readFileSync(path.join(release.cwd, 'pid'), 'utf8'));
  const state = () => {
    try {
      return readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[2];
    } catch {
      return 'gone';
    }
  };
  t.ok(['gone', 'Z'].includes(state() ?? ''));
});

t.test(
  'hooks of a kind run one at a time, of different kinds side by side, and what nobody asked for does not',
  async (t) => {
    const { hooks, calls } = fake(t);
    const release = releaseWith(t, { reloaded: 'a', crashLoop: 'b' });
    const present = () => release;
    hooks.heard('rollout done', {}, 1, present);
    hooks.heard('rollout done', {}, 2, present);
    hooks.heard('crash loop', { slot: 0 }, 2, present);
    hooks.heard('rollback done', {}, 2, present);
    hooks.heard('worker ready', {}, 2, present);
    t.same(
      calls.map(({ options }) => options.command),
      ['a', 'b'],
    );
    calls[0]?.end({ ok: true });
    await until(() => calls.length === 3);
    t.match(JSON.parse(calls[2]?.options.input ?? ''), { event: 'reloaded', generation: 2 });
  },
);

t.test('what waits for one that hangs is bounded: the oldest gives way, which is told', async (t) => {
  const { hooks, calls, lines } = fake(t);
  const release = releaseWith(t, { reloaded: 'a' });
  for (let generation = 1; generation <= 20; generation += 1)
    hooks.heard('rollout done', {}, generation, () => release);
  t.equal(calls.length, 1);
  t.equal(lines.filter(({ msg }) => msg === 'hook skipped').length, 11);
  for (let n = 0; n < 9; n += 1) {
    await until(() => calls.length === n + 1);
    calls[n]?.end({ ok: true });
  }
  await hooks.close();
  t.same(
    calls.map(({ options }) => JSON.parse(options.input ?? '').generation),
    [1, 13, 14, 15, 16, 17, 18, 19, 20],
  );
});

t.test('at the end what runs has a moment, what waits is ended as well, and nothing new begins', async (t) => {
  const { hooks, calls, lines } = fake(t);
  const release = releaseWith(t, { reloaded: 'a' });
  hooks.heard('rollout done', {}, 1, () => release);
  hooks.heard('rollout done', {}, 2, () => release);
  const closed = hooks.close();
  hooks.heard('rollout done', {}, 3, () => release);
  await until(() => calls.length === 2);
  calls[1]?.end({ ok: true });
  await closed;
  t.equal(calls.length, 2);
  t.match(
    lines.find(({ msg }) => msg === 'hook failed'),
    { reason: 'ended: the supervisor ends' },
  );
});

t.test('a reason is bounded, as an environment is', async (t) => {
  const occasion = {
    event: 'crashLoop',
    generation: 1,
    otherGeneration: null,
    slot: 0,
    reason: 'x'.repeat(200_000),
  } as const;
  const variables = variablesOf(factsOf(occasion, 'shop', new Date(0)));
  t.equal(variables.HOLDFAST_REASON?.length, 4_000);
  t.match(variables, { HOLDFAST_EVENT: 'crashLoop', HOLDFAST_SLOT: '0', HOLDFAST_TIME: '1970-01-01T00:00:00.000Z' });
});
