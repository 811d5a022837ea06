import t from 'tap';
import { initialState, newWorker } from '../../../src/core/state/state.js';
import type { Policy, State } from '../../../src/core/state/types.js';
import { collectStatus, type StatusSource } from '../../../src/supervisor/insight/status.js';

function sourceOf(state: State): StatusSource {
  const nothing = { list: () => [] };
  return {
    ...{ state, name: 'shop', startedAt: 0, steering: { steered: false, reason: '', exact: false } },
    ...{ custody: nothing, shared: nothing, weights: new Map(), workers: new Map(), canaryFigures: null },
    ...{
      handover: { on: true, reason: '', handed: 1, refused: 0, takenBack: 0, stayed: { slow: 1 } },
      cutOff: { http1: 1 },
    },
  } as unknown as StatusSource;
}

t.test('an outline is of its moment: the core writes on in its state', async (t) => {
  const state = initialState({ size: 2, listenMode: 'reuseport', policy: {} as Policy });
  state.workers = [0, 1].map((slot) => newWorker({ id: slot + 1, slot, generation: 1, startedAt: 0 }));
  state.rollout = { ...state.rollout, state: 'running', canary: { slot: 1, share: 0.1 } as never };
  const source = sourceOf(state);
  const status = await collectStatus(source, 'outline');
  t.same(
    status.workers.map(({ id, slot, cpuPercent, requests }) => ({ id, slot, cpuPercent, requests })),
    [0, 1].map((slot) => ({ id: slot + 1, slot, cpuPercent: null, requests: null })),
  );
  const told = JSON.stringify(status);
  for (const part of [state, source.handover, source.cutOff]) writeAll(part);
  t.equal(JSON.stringify(status), told);
});

/** Another value in every place of it. */
function writeAll(part: object): void {
  for (const [key, value] of Object.entries(part)) {
    if (typeof value === 'object' && value !== null) writeAll(value);
    else Object.assign(part, { [key]: typeof value === 'number' ? value + 100 : 'written' });
  }
}
