import t from 'tap';
import { cronFault } from '../../src/config/cron.js';
import type { Log } from '../../src/logs/logger.js';
import { scheduleReloads } from '../../src/supervisor/schedule.js';

const log = { logger: { info: () => {}, warn: () => {}, error: () => {} } } as unknown as Log;

t.test('the next time is the one that the expression and the time zone name', async (t) => {
  const reload = async () => ({ ok: true, reason: null });
  const schedule = await scheduleReloads({ cron: '30 4 1 1 *', timeZone: 'Asia/Tokyo', reload, log });
  t.teardown(schedule.close);
  const year = new Date().getUTCFullYear();
  const next = new Date(Date.UTC(year, 11, 31, 19, 30));
  t.same(schedule.next(), next > new Date() ? next : new Date(Date.UTC(year + 1, 11, 31, 19, 30)));
});

t.test('a time that comes while the last reload has not ended is passed over, and a failure is told', async (t) => {
  const lines: string[] = [];
  const note = (_fields: object, message: string) => lines.push(message);
  const logged = { logger: { info: note, warn: note, error: note } } as unknown as Log;
  let finish = (_result: { ok: boolean; reason: string | null }) => {};
  let reloads = 0;
  const reload = () => {
    reloads += 1;
    return new Promise<{ ok: boolean; reason: string | null }>((resolve) => {
      finish = resolve;
    });
  };
  // With a field for seconds, which configurations may not have.
  const schedule = await scheduleReloads({ cron: '* * * * * *', timeZone: null, reload, log: logged });
  t.teardown(schedule.close);
  // Its own timer keeps no process alive.
  const awake = setInterval(() => {}, 1_000);
  t.teardown(() => clearInterval(awake));
  while (!lines.includes('scheduled reload skipped: the last one has not ended')) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  t.equal(reloads, 1);
  finish({ ok: false, reason: 'taken back' });
  while (reloads < 2) await new Promise((resolve) => setTimeout(resolve, 50));
  t.ok(lines.includes('scheduled reload failed'));
});

t.test('what is no expression of five fields, or never comes to pass, is a fault', async (t) => {
  t.equal(cronFault('0 4 * * *', undefined), null);
  t.equal(cronFault('*/5 9-17 * * mon-fri', 'Europe/Berlin'), null);
  for (const wrong of ['', '0 4 * *', '0 0 4 * * *', '61 * * * *', '0 0 30 2 *', 'nonsense a b c d']) {
    t.ok(cronFault(wrong, undefined), wrong);
  }
  t.ok(cronFault('0 4 * * *', 'Atlantis/City'));
});
