/** What a worker may have measured. */
import type { Measured } from '../../../src/protocol/measured.js';

export function measuredOf(more: Partial<Measured> = {}): Measured {
  return {
    requests: 10,
    statuses: [0, 0, 7, 1, 1, 1],
    latency: [1, 2, ...new Array(77).fill(0), 3],
    tookMs: 500,
    accepted: { http1: 4, http2: 2, other: 1 },
    connections: 3,
    receivedBytes: 1_000,
    sentBytes: 2_000,
    cpuUserMs: 1_500,
    cpuSystemMs: 500,
    rssBytes: 60_000_000,
    heapUsedBytes: 20_000_000,
    heapLimitBytes: 4_000_000_000,
    externalBytes: 1_000_000,
    loopActiveMs: 250,
    loopIdleMs: 750,
    loopDelayMs: [1, 2, 3, 4],
    gc: [{ kind: 'minor', count: 3, ms: 30, buckets: [1, 2, 0, 0] }],
    kinds: { http1: 2, websocket: 1 },
    ...more,
  };
}
