import t from 'tap';
import { NO_HISTORY, observe } from '../../../../src/cli/top/model/history.js';
import type { SupervisorStatus, WorkerStatus } from '../../../../src/protocol/status.js';
import { status, worker } from '../support.js';

const at = (uptimeMs: number, more: Partial<WorkerStatus>, of: Partial<SupervisorStatus> = {}) =>
  status([worker(0, more)], { uptimeMs, ...of });

t.test('rates are what has come between two looks, by the clock of the supervisor', async (t) => {
  const first = observe(NO_HISTORY, at(1_000, { requests: 100 }));
  t.match(first.tracks.get(1), { requestsPerS: null, errorsPerS: null, p99Ms: null });
  const figures = { answers: 150, serverErrors: 4, latency: [1_000, 0, 0, 0, 0, 0, 0, 0, 10] };
  const second = observe(first, at(3_000, { requests: 150, figures }));
  t.match(second.tracks.get(1), { requestsPerS: 25, errorsPerS: 2, p99Ms: 0.48828125 });
  t.match(second.all, { requestsPerS: 25, errorsPerS: 2, p99Ms: 0.48828125 });
  t.same(second.tracks.get(1)?.requests, [null, 25]);
});

t.test('the same status again is no second look', async (t) => {
  const first = observe(NO_HISTORY, at(1_000, {}));
  t.equal(observe(first, at(1_000, { requests: 5_000 })), first);
});

t.test('a worker that does not answer has no rate, and then that of the whole time', async (t) => {
  const first = observe(NO_HISTORY, at(1_000, { requests: 100 }));
  const { figures: _none, ...silent } = worker(0, { requests: null, connections: null, eventLoopDelayMs: null });
  const second = observe(first, status([silent], { uptimeMs: 2_000 }));
  t.match(second.tracks.get(1), { requestsPerS: null, errorsPerS: null });
  t.same(second.all.requests, [null, null]);
  t.match(observe(second, at(3_000, { requests: 300 })).tracks.get(1), { requestsPerS: 100 });
});

t.test('another supervisor, one that began anew, and another worker begin without a past', async (t) => {
  const first = observe(NO_HISTORY, at(5_000, { requests: 100 }));
  for (const next of [
    at(6_000, { requests: 200 }, { pid: 1 }),
    at(4_000, { requests: 200 }),
    at(6_000, { requests: 200, id: 9 }),
  ]) {
    const { tracks } = observe(first, next);
    t.equal([...tracks.values()][0]?.requestsPerS, null);
    t.equal(tracks.size, 1, 'who has gone is forgotten');
  }
});

t.test('the 99th percentile is that of the last ten seconds, and of all workers together', async (t) => {
  let history = observe(NO_HISTORY, at(0, { figures: { answers: 0, serverErrors: 0, latency: [] } }));
  const slow = { answers: 1, serverErrors: 0, latency: [0, 0, 0, 0, 1] };
  history = observe(history, at(1_000, { figures: slow }));
  t.equal(history.all.p99Ms, 0.244140625);
  for (let second = 2; second <= 13; second++) history = observe(history, at(second * 1_000, { figures: slow }));
  t.equal(history.all.p99Ms, null, 'nothing was answered since');
  t.ok((history.tracks.get(1)?.totals.length ?? 0) <= 12, 'what is older is not kept');
});

t.test('without figures, as of an older supervisor, there are requests alone', async (t) => {
  const { figures: _none, ...plain } = worker(0);
  const first = observe(NO_HISTORY, status([plain], { uptimeMs: 1_000 }));
  const { all } = observe(first, status([{ ...plain, requests: 1_010 }], { uptimeMs: 2_000 }));
  t.match(all, { requestsPerS: 10, errorsPerS: null, p99Ms: null });
});
