import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { createLog } from '../../../src/logs/logger.js';
import { type HookOptions, runHook } from '../../../src/supervisor/deployments/hook.js';
import { defaults, pipe } from '../../logs/support.js';

interface Logged {
  readonly hook: string;
  readonly level: string;
  readonly msg: string;
  readonly continued?: boolean;
}

/** @param onLine told of each line of the log */
function hook(t: Test, command: string, more: Partial<HookOptions> = {}, onLine: (line: Logged) => void = () => {}) {
  const { fd } = pipe(t);
  const log = createLog({ ...defaults, logLevel: 'error' }, { stdout: { fd, isTTY: false } });
  const logged: Logged[] = [];
  log.follow((line) => {
    logged.push(JSON.parse(line));
    onLine(JSON.parse(line));
  });
  const cwd = t.testdir({ here: '' });
  const env = { PATH: process.env.PATH, WORD: 'word', SECRET: 'hush' };
  const done = runHook({ name: 'beforeReload', command, cwd, env, timeoutMs: 20_000, log, ...more });
  return { logged, done };
}

/** Whoever has become its parent may not have noticed its end yet. */
function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}`) && readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[2] !== 'Z';
}

const lastLine = (result: unknown) => (result as { reason: string }).reason.split('\n').at(-1);

t.test('what ends with 0 is well; folder and environment are those given, and its output is logged', async (t) => {
  const { done, logged } = hook(t, 'ls | cat; printf "%s 100%% %s" "$WORD" %d >&2');
  t.same(await done, { ok: true });
  t.match(
    logged.toSorted((a, b) => a.level.localeCompare(b.level)),
    [
      { hook: 'beforeReload', level: 'info', stream: 'stdout', msg: 'here' },
      { hook: 'beforeReload', level: 'warn', stream: 'stderr', msg: 'word 100% %d' },
    ],
  );
  t.notMatch(JSON.stringify(logged), /hush/);
});

t.test('what ends otherwise is told with its last lines', async (t) => {
  t.same(await hook(t, 'for i in 1 2 3 4 5 6 7; do echo $i >&2; echo >&2; done; exit 3').done, {
    ok: false,
    reason: 'beforeReload ended with exit code 3; the last it wrote:\n3\n4\n5\n6\n7',
  });
  t.same(await hook(t, 'kill -9 $$').done, { ok: false, reason: 'beforeReload was ended by SIGKILL' });
  t.match(await hook(t, 'no-such-command').done, { reason: /exit code 127; .*no-such-command/s });
});

t.test('a line without end is logged in pieces, and told cut', async (t) => {
  const { done, logged } = hook(t, 'head -c 40000 /dev/zero | tr "\\0" x >&2; exit 1');
  t.ok((lastLine(await done) ?? '').length <= 1_000);
  t.same(
    logged.map(({ continued = false, msg }) => [continued, msg.length]),
    [
      [true, 16_384],
      [true, 16_384],
      [false, 7_232],
    ],
  );
});

t.test('one that writes more than the log takes leaves room in it for the lines of others', async (t) => {
  const { fd } = pipe(t);
  const log = createLog(defaults, { stdout: { fd, isTTY: false } });
  const told: Record<string, unknown>[] = [];
  log.follow((line) => void told.push(JSON.parse(line)));
  const command = 'yes "$(head -c 200 /dev/zero | tr "\\0" x)" | head -n 20000; echo end >&2';
  const options = {
    name: 'hooks.reloaded',
    cwd: t.testdir({}),
    env: { PATH: process.env.PATH },
    timeoutMs: 60_000,
    log,
  };
  t.same(await runHook({ ...options, command }), { ok: true });
  const lines = told.filter(({ stream }) => stream !== undefined).length;
  t.match(told.at(-1), { level: 'warn', hook: 'hooks.reloaded', dropped: 20_001 - lines });
  t.ok(log.bufferedBytes() < 600_000, `${log.bufferedBytes()} bytes of 1 MiB`);
});

t.test('what cannot be run is a reason, not a rejection', async (t) => {
  const cwd = path.join(t.testdir({}), 'none');
  t.same(await hook(t, 'true', { cwd }).done, {
    ok: false,
    reason: `beforeReload could not be run: there is no folder ${cwd}`,
  });
  const tooLong = `: ${'x'.repeat(4_000_000)}`;
  t.match(await hook(t, tooLong).done, { ok: false, reason: /^beforeReload could not be run: .*E2BIG/ });
  t.match(await hook(t, 'true \0').done, { ok: false, reason: /^beforeReload could not be run: / });
});

t.test('one that takes too long is ended with all that it has started', async (t) => {
  const result = await hook(t, 'sleep 60 & echo $! >&2; wait', { timeoutMs: 300 }).done;
  t.match(result, { ok: false, reason: /^beforeReload did not end within 0\.3 s; the last it wrote:\n\d+$/ });
  t.notOk(isAlive(Number(lastLine(result))));
});

t.test('what it has started may clean up, also when its shell is gone already', async (t) => {
  const controller = new AbortController();
  const cleaner = `trap 'sleep 0.6; echo cleaned >&2; exit' TERM; echo ready >&2; while :; do sleep 0.05; done`;
  const { done } = hook(t, `sh -c "${cleaner}" & wait`, { signal: controller.signal }, ({ msg }) => {
    if (msg === 'ready') controller.abort('the supervisor stops');
  });
  const result = await done;
  t.match(result, { ok: false, reason: /^beforeReload was ended: the supervisor stops/ });
  t.equal(lastLine(result), 'cleaned');
});

t.test('what does not heed SIGTERM is killed', async (t) => {
  const controller = new AbortController();
  const command = 'trap "" TERM; sleep 60 & echo $! >&2; wait';
  const result = await hook(t, command, { signal: controller.signal }, () => controller.abort('the supervisor stops'))
    .done;
  t.match(result, { ok: false, reason: /^beforeReload was ended: the supervisor stops/ });
  t.notOk(isAlive(Number(lastLine(result))));
});

t.test('what it leaves behind does not hold the answer up', async (t) => {
  const result = await hook(t, 'sleep 60 & echo $! >&2; exit 3').done;
  t.match(result, { ok: false, reason: /^beforeReload ended with exit code 3/ });
  const left = Number(lastLine(result));
  t.ok(isAlive(left));
  process.kill(left, 'SIGKILL');
});

t.test('a supervisor that stops does not wait for it', async (t) => {
  const controller = new AbortController();
  const { done } = hook(t, 'exec sleep 60', { signal: controller.signal });
  controller.abort('the supervisor stops');
  t.same(await done, { ok: false, reason: 'beforeReload was ended: the supervisor stops' });
  t.match(await hook(t, 'true', { signal: controller.signal }).done, { ok: false, reason: /was not run/ });
});
