import { existsSync, readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { createLog } from '../../src/logs/logger.js';
import { runHook } from '../../src/supervisor/hook.js';
import { defaults, pipe } from '../logs/support.js';

function hook(t: Test, command: string, more: { timeoutMs?: number; signal?: AbortSignal } = {}) {
  const { fd, lines, hangUp } = pipe(t);
  const log = createLog(defaults, { stdout: { fd, isTTY: false } });
  t.teardown(hangUp);
  const cwd = t.testdir({ here: '' });
  const env = { PATH: process.env.PATH, WORD: 'word' };
  return { lines, done: runHook({ name: 'beforeReload', command, cwd, env, timeoutMs: 10_000, log, ...more }) };
}

t.test('what ends with 0 is well; folder and environment are those given, and its output is logged', async (t) => {
  const { done, lines } = hook(t, 'ls | cat; echo "$WORD" >&2');
  t.same(await done, { ok: true });
  const logged: unknown[] = [];
  for await (const line of lines()) {
    const { hook: name, level, msg } = JSON.parse(line) as Record<string, unknown>;
    logged.push([name, level, msg]);
    if (logged.length === 2) break;
  }
  t.same(logged.sort(), [
    ['beforeReload', 'info', 'here'],
    ['beforeReload', 'warn', 'word'],
  ]);
});

t.test('what ends otherwise is told with its last lines', async (t) => {
  t.same(await hook(t, 'for i in 1 2 3 4 5 6 7; do echo $i >&2; done; exit 3').done, {
    ok: false,
    reason: 'beforeReload ended with exit code 3; the last it wrote:\n3\n4\n5\n6\n7',
  });
  t.same(await hook(t, 'kill -9 $$').done, { ok: false, reason: 'beforeReload was ended by SIGKILL' });
  t.match(await hook(t, 'no-such-command').done, { reason: /exit code 127; .*no-such-command/s });
});

t.test('one that takes too long is ended with all that it has started', async (t) => {
  const { done } = hook(t, 'sleep 60 & echo $! >&2; wait', { timeoutMs: 200 });
  const result = await done;
  t.match(result, { ok: false, reason: /^beforeReload did not end within 0\.2 s; the last it wrote:\n\d+$/ });
  const child = Number((result as { reason: string }).reason.split('\n')[1]);
  // Whoever has become its parent may not have noticed its end yet.
  const state = existsSync(`/proc/${child}`) ? readFileSync(`/proc/${child}/stat`, 'utf8').split(' ')[2] : 'Z';
  t.equal(state, 'Z');
});

t.test('a supervisor that stops does not wait for it', async (t) => {
  const controller = new AbortController();
  const { done } = hook(t, 'exec sleep 60', { signal: controller.signal });
  controller.abort();
  t.same(await done, { ok: false, reason: 'beforeReload was ended: the supervisor stops' });
  t.match(await hook(t, 'true', { signal: controller.signal }).done, { ok: false, reason: /was not run/ });
});
