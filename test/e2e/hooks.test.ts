/** Commands that are told of what has happened: nothing waits for them. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { freePort } from '../support/ports.js';
import { apps, Holdfast } from './support/holdfast.js';
import { haveEnded } from './support/processes.js';

async function start(t: Test, hooks: Record<string, string>, ...args: string[]) {
  const dir = t.testdir({ mood: 'good' });
  const moodFile = path.join(dir, 'mood');
  const flags = Object.entries(hooks).flatMap(([event, command]) => ['--hooks', `${event}=${command}`]);
  const holdfast = new Holdfast(t, path.join(apps, 'moody.cjs'), {
    args: ['--name', 'shop', ...flags, ...args],
    env: { PORT: String(await freePort()), MOOD_FILE: moodFile, DIR: dir },
  });
  const become = (mood: string) => writeFileSync(moodFile, mood);
  /** What a hook has written, once it is whole. */
  const told = async (name: string) => {
    const file = path.join(dir, name);
    while (!existsSync(file) || !readFileSync(file, 'utf8').endsWith('\n')) await delay(10);
    return readFileSync(file, 'utf8');
  };
  return { holdfast, become, told, dir };
}

t.test('a reload and a roll-back are told, with who and why', { buffered: true }, async (t) => {
  const { holdfast, become, told } = await start(t, {
    reloaded: 'cat > $DIR/$HOLDFAST_EVENT.json; echo "$HOLDFAST_NAME $HOLDFAST_GENERATION" > $DIR/reloaded',
    rolledBack: 'cat > $DIR/$HOLDFAST_EVENT.json; echo "$HOLDFAST_REASON" > $DIR/reason',
  });
  await holdfast.message('started');
  t.equal((await holdfast.run('reload')).code, 0);
  t.equal(await told('reloaded'), 'shop 2\n');
  t.match(JSON.parse(await told('reloaded.json')), {
    event: 'reloaded',
    name: 'shop',
    generation: 2,
    otherGeneration: 1,
  });
  become('throws');
  t.equal((await holdfast.run('reload')).code, 1);
  const reason = await told('reason');
  t.match(reason, /exited with code 1.*this release is broken/s);
  t.match(JSON.parse(await told('rolledBack.json')), {
    ...{ event: 'rolledBack', generation: 2, otherGeneration: 3, reason: reason.slice(0, -1) },
  });
});

t.test('one that hangs holds up neither reloads nor, for long, the end', { buffered: true }, async (t) => {
  const { holdfast, told } = await start(t, {
    reloaded: 'trap "" TERM; sleep 1000 & echo $! $$ > $DIR/pids; wait; wait',
  });
  await holdfast.message('started');
  for (let n = 0; n < 3; n += 1) t.equal((await holdfast.run('reload')).code, 0);
  const pids = (await told('pids')).trim().split(' ').map(Number);
  t.equal((await holdfast.run('stop')).code, 0);
  t.equal(await holdfast.closed, 0);
  await haveEnded(...pids);
  t.match(holdfast.lines('hook failed')[0], { hook: 'hooks.reloaded', reason: /was ended: the supervisor ends/ });
});

t.test('a crash loop is told also where it ends the supervisor', { buffered: true }, async (t) => {
  const { holdfast, told } = await start(
    t,
    { crashLoop: 'sleep 0.2; echo "$HOLDFAST_REASON" > $DIR/page' },
    ...['--on-crash-loop', 'exit', '--max-restarts', '2', '--backoff-base', '10ms'],
  );
  await holdfast.message('started');
  const port = (await holdfast.status()).addresses[0]?.port;
  for (let n = 0; n < 3; n += 1) {
    const before = holdfast.log.length;
    await fetch(`http://127.0.0.1:${port}/crash`).catch(() => {});
    if (n < 2) await holdfast.message('worker ready', before);
  }
  t.equal(await holdfast.closed, 1);
  t.equal(await told('page'), 'slot 0 crashed more than 2 times within 60 s\n');
});
