import { mock } from 'node:test';
import t, { type Test } from 'tap';
import { cronFault } from '../../../src/config/schema/cron.js';
import type { Log } from '../../../src/logs/logger.js';
import { type ScheduleOptions, scheduleReloads } from '../../../src/supervisor/deployments/schedule.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

type Told = { level: string; msg: string; reason?: string };

/** A schedule whose time is the test's: `pass` lets timers and clock go on, `setClock` the clock alone. */
async function scheduled(
  t: Test,
  at: string,
  options: Pick<ScheduleOptions, 'cron' | 'timeZone'> & Partial<ScheduleOptions>,
) {
  let clockMs = Date.parse(at);
  const realNow = Date.now;
  Date.now = () => clockMs;
  mock.timers.enable({ apis: ['setTimeout'] });
  const reloads: string[] = [];
  const told: Told[] = [];
  const logging = (level: string) => (fields: object, msg: string) => void told.push({ level, msg, ...fields });
  const log = { logger: { info: logging('info'), error: logging('error') } } as unknown as Log;
  const { reload = async () => ({ ok: true, reason: null }) } = options;
  const schedule = await scheduleReloads({
    ...options,
    log,
    reload() {
      reloads.push(new Date(clockMs).toISOString());
      return reload();
    },
  });
  t.teardown(() => {
    schedule.close();
    mock.timers.reset();
    Date.now = realNow;
  });
  return {
    schedule,
    reloads,
    told,
    setClock: (to: string) => {
      clockMs = Date.parse(to);
    },
    async pass(ms: number) {
      for (let passed = 0; passed < ms; passed += MINUTE_MS) {
        // What a reload has come to is known some promises later.
        await new Promise(setImmediate);
        clockMs += MINUTE_MS;
        mock.timers.tick(MINUTE_MS);
      }
      await new Promise(setImmediate);
    },
  };
}

t.test('the next time is the one that the expression and the time zone name', async (t) => {
  const { schedule } = await scheduled(t, '2026-03-01T00:00:00Z', { cron: '30 4 1 1 *', timeZone: 'Asia/Tokyo' });
  t.same(schedule.next(), new Date('2026-12-31T19:30:00Z'));
  schedule.close();
  t.equal(schedule.next(), null);
});

t.test('it reloads at each of the times, and no more once it is closed', async (t) => {
  const { schedule, reloads, pass } = await scheduled(t, '2026-03-01T00:00:00Z', {
    cron: '0 4 * * *',
    timeZone: 'UTC',
  });
  await pass(48 * HOUR_MS);
  t.same(reloads, ['2026-03-01T04:00:00.000Z', '2026-03-02T04:00:00.000Z']);
  schedule.close();
  await pass(24 * HOUR_MS);
  t.equal(reloads.length, 2);
});

t.test('a time that comes while the last reload has not ended is passed over', async (t) => {
  let end = () => {};
  const { reloads, told, pass } = await scheduled(t, '2026-03-01T00:00:00Z', {
    cron: '* * * * *',
    timeZone: 'UTC',
    reload: () => new Promise((resolve) => (end = () => resolve({ ok: true, reason: null }))),
  });
  await pass(3 * MINUTE_MS);
  t.same(reloads, ['2026-03-01T00:01:00.000Z']);
  t.match(told, [
    { level: 'info', msg: 'scheduled reload' },
    { level: 'info', msg: 'scheduled reload skipped', reason: /has not ended/ },
    { level: 'info', msg: 'scheduled reload skipped' },
  ]);
  end();
  await pass(MINUTE_MS);
  t.equal(reloads.length, 2);
});

t.test('a reload that fails is told with its reason, and the next one comes all the same', async (t) => {
  const outcomes = [
    async () => ({ ok: false, reason: 'rolled back' }),
    () => Promise.reject(new Error('no loop')),
    async () => ({ ok: true, reason: null }),
  ];
  const { told, pass } = await scheduled(t, '2026-03-01T00:00:00Z', {
    cron: '* * * * *',
    timeZone: 'UTC',
    reload: () => outcomes.shift()!(),
  });
  await pass(3 * MINUTE_MS);
  t.match(told, [
    { msg: 'scheduled reload' },
    { level: 'error', reason: 'rolled back' },
    { msg: 'scheduled reload' },
    { level: 'error', reason: 'no loop' },
    { msg: 'scheduled reload' },
  ]);
  t.equal(told.length, 5);
});

t.test('a time of day that the clocks skip comes an hour later', async (t) => {
  const { reloads, pass } = await scheduled(t, '2026-03-29T00:10:00Z', {
    cron: '30 2 * * *',
    timeZone: 'Europe/Berlin',
  });
  await pass(25 * HOUR_MS);
  t.same(reloads, ['2026-03-29T01:30:00.000Z', '2026-03-30T00:30:00.000Z']);
});

t.test('a time of day that comes twice is taken the first time', async (t) => {
  const { reloads, pass } = await scheduled(t, '2026-10-25T00:10:00Z', {
    cron: '*/30 * * * *',
    timeZone: 'Europe/Berlin',
  });
  await pass(2 * HOUR_MS + 30 * MINUTE_MS);
  t.same(reloads, ['2026-10-25T00:30:00.000Z', '2026-10-25T02:00:00.000Z', '2026-10-25T02:30:00.000Z']);
});

t.test('a supervisor that starts while an hour comes a second time does not reload in it', async (t) => {
  const { schedule, reloads, pass } = await scheduled(t, '2026-10-25T01:05:00Z', {
    cron: '30 2 * * *',
    timeZone: 'Europe/Berlin',
  });
  t.same(schedule.next(), new Date('2026-10-26T01:30:00Z'));
  await pass(2 * HOUR_MS);
  t.same(reloads, []);
});

t.test('a clock that is set is followed', async (t) => {
  const { reloads, pass, setClock } = await scheduled(t, '2026-03-05T03:00:00Z', {
    cron: '0 4 * * *',
    timeZone: 'UTC',
  });
  setClock('2026-03-04T03:00:00Z');
  await pass(2 * HOUR_MS);
  t.same(reloads, ['2026-03-04T04:00:00.000Z'], 'back');
  setClock('2026-03-08T12:00:00Z');
  await pass(HOUR_MS);
  t.equal(reloads.length, 2, 'forward: one for all that was missed');
});

t.test('a schedule does not keep the process alive', async (t) => {
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const log = {} as Log;
  const before = timers();
  const schedule = await scheduleReloads({
    cron: '0 4 * * *',
    timeZone: null,
    reload: async () => ({ ok: true, reason: null }),
    log,
  });
  t.teardown(schedule.close);
  t.ok(schedule.next());
  t.equal(timers(), before);
});

t.test('what is no expression of five fields, or never comes to pass, is a fault', async (t) => {
  t.equal(cronFault('0 4 * * *', undefined), null);
  t.equal(cronFault('*/5 9-17 * * mon-fri', 'Europe/Berlin'), null);
  for (const wrong of ['', '0 4 * *', '0 0 4 * * *', '61 * * * *', '0 0 30 2 *', 'nonsense a b c d']) {
    t.ok(cronFault(wrong, undefined), wrong);
  }
  t.ok(cronFault('0 4 * * *', 'Atlantis/City'));
});
