import t from 'tap';
import { WatchedStatus } from '../../../src/control/server/watched-status.js';
import { deferred, open, statusOf } from '../support/fake-target.js';
import { ask } from '../support/http.js';

t.test('it is made at most once a second, however many look, and never twice at a time', async (t) => {
  let now = 0;
  let made = 0;
  let answer = deferred<ReturnType<typeof statusOf>>();
  const make = () => {
    made += 1;
    return answer.promise;
  };
  const watched = new WatchedStatus(make, () => now);
  const all = [watched.get(), watched.get()];
  now = 5_000;
  all.push(watched.get());
  t.equal(made, 1, 'a slow one is waited for, and not asked again');
  answer.resolve(statusOf('shop', { uptimeMs: 1 }));
  t.same(
    (await Promise.all(all)).map(({ uptimeMs }) => uptimeMs),
    [1, 1, 1],
  );
  answer = deferred();
  const next = watched.get();
  t.equal(made, 2, 'the last one began long ago');
  answer.resolve(statusOf('shop', { uptimeMs: 2 }));
  t.equal((await next).uptimeMs, 2);
  now += 899;
  t.equal((await watched.get()).uptimeMs, 2);
  t.equal(made, 2);
  now += 1;
  void watched.get();
  t.equal(made, 3);
});

t.test('one that failed is not kept', async (t) => {
  let made = 0;
  const watched = new WatchedStatus(
    async () => {
      made += 1;
      if (made === 1) throw new Error('no status');
      return statusOf('shop');
    },
    () => 0,
  );
  await t.rejects(watched.get(), /no status/);
  t.equal((await watched.get()).name, 'shop');
});

t.test('figures are asked of the workers only for who wants them', async (t) => {
  const { server, target } = await open(t);
  const asked: boolean[] = [];
  target.status = async (figures = false) => {
    asked.push(figures);
    return statusOf('shop');
  };
  for (const query of ['', '?figures=false', '?figures=true', '?figures=true']) {
    t.equal((await ask(server.path, 'GET', `/v1/status${query}`)).statusCode, 200);
  }
  t.same(asked, [false, false, true]);
});
