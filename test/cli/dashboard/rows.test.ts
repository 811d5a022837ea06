import t from 'tap';
import { pageOf, rowOf } from '../../../src/cli/dashboard/rows.js';
import { NO_HISTORY, observe } from '../../../src/cli/top/model/history.js';
import { status, worker } from '../top/support.js';

t.test('the page of an admin address is where a browser on this machine finds it', async (t) => {
  for (const [admin, page] of [
    ['9000', 'http://127.0.0.1:9000/'],
    [':9000', 'http://127.0.0.1:9000/'],
    ['0.0.0.0:9000', 'http://127.0.0.1:9000/'],
    ['[::]:9000', 'http://127.0.0.1:9000/'],
    ['10.0.0.1:9000', 'http://10.0.0.1:9000/'],
    ['[::1]:9000', 'http://[::1]:9000/'],
    ['localhost:9000', 'http://localhost:9000/'],
    [null, null],
    ['javascript:alert(1)', null],
    ['user@host:1', null],
    ['a/b:9000', null],
  ] as const)
    t.equal(pageOf(admin), page, String(admin));
});

t.test('of a supervisor it tells what its workers are together', async (t) => {
  const workers = (requests: number) => [
    worker(0, { requests, cpuPercent: 30, rssBytes: 100 }),
    worker(1, { requests, cpuPercent: 20, rssBytes: 50, state: 'starting' }),
    worker(2, { requests: null, cpuPercent: null, rssBytes: null }),
  ];
  const totals = { restarts: { crashed: 3, failed: 1, hung: 1, recycled: 9 }, rollouts: { done: 0, rolledBack: 1 } };
  const first = observe(NO_HISTORY, status(workers(100), { uptimeMs: 1_000, totals }));
  t.match(rowOf('shop', first, null), { name: 'shop', facts: { requests: null, page: null } });
  const second = observe(first, status(workers(150), { uptimeMs: 3_000, totals }));
  t.match(rowOf('shop', second, 'http://127.0.0.1:9000/').facts, {
    ...{ ready: 2, restarts: 5, requests: 50, cpu: 0.5, memoryBytes: 150, page: 'http://127.0.0.1:9000/' },
  });
  t.same(rowOf('shop', NO_HISTORY, null), { name: 'shop', facts: null });
});
