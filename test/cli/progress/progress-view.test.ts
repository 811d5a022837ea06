import t from 'tap';
import { expectedMs, type ProgressView, progressLines, summaryLine } from '../../../src/cli/progress/progress-view.js';
import type { RolloutStatus, SupervisorStatus, WorkerState, WorkerStatus } from '../../../src/protocol/status.js';
import { statusOf } from '../../control/support/fake-target.js';

const SIZES = [
  { width: 80, height: 24 },
  { width: 160, height: 50 },
] as const;

const ROLLING: RolloutStatus = { state: 'running', reason: null, from: 1, to: 2, canary: null, trial: null };

function worker(id: number, slot: number, generation: number, state: WorkerState, more: object = {}): WorkerStatus {
  return {
    ...{ id, slot, generation, pid: 1000 + id, state, uptimeMs: 3_200, restarts: 0, recycled: 0, restartReason: null },
    ...{ scriptChanged: false, missing: [], cpuPercent: 1, rssBytes: 1, eventLoopDelayMs: 1, connections: 12 },
    ...{ accepted: 1, requests: 1, ...more },
  };
}

function viewOf(status: Partial<SupervisorStatus> | null, more: Partial<ProgressView> = {}): ProgressView {
  return {
    ...{
      name: 'shop',
      verb: 'reload',
      elapsedMs: 12_000,
      lastStep: 'worker ready slot=0',
      note: 'Ctrl-C leaves this view',
    },
    since: { done: 1, atMs: 6_000 },
    status: status === null ? null : statusOf('shop', { rollout: ROLLING, ...status }),
    ...more,
  };
}

/** Of `done` slots replaced, one draining and one starting, and the others to come. */
function workersOf(size: number, done: number): WorkerStatus[] {
  return Array.from({ length: size }, (_none, slot) => {
    if (slot < done) return [worker(100 + slot, slot, 2, 'ready')];
    if (slot === done) return [worker(slot, slot, 1, 'draining'), worker(100 + slot, slot, 2, 'ready')];
    if (slot === done + 1) return [worker(slot, slot, 1, 'ready'), worker(100 + slot, slot, 2, 'starting')];
    return [worker(slot, slot, 1, 'ready')];
  }).flat();
}

t.test('two slots, each with its line: what comes up, and the old one that drains with its connections', async (t) => {
  for (const size of SIZES) {
    t.same(progressLines(viewOf({ size: 2, workers: workersOf(2, 0) }), { ...size, colour: false }), [
      'shop  reload  generation 1 to 2  1 of 2 replaced  12s gone',
      '  slot  0  ready, old one draining, 12 open',
      '  slot  1  starting, 3s, old one ready',
      '  worker ready slot=0',
      '  Ctrl-C leaves this view',
    ]);
  }
});

t.test('64 slots fit: those that move are shown, and what the others are', async (t) => {
  const view = viewOf({ size: 64, workers: workersOf(64, 30) });
  const small = progressLines(view, { width: 80, height: 24, colour: false });
  t.equal(small.length, 23, 'the cursor has a line of its own');
  t.equal(small[0], 'shop  reload  generation 1 to 2  31 of 64 replaced  12s gone  about 7s to go');
  t.ok(small.includes('  slot 30  ready, old one draining, 12 open'));
  t.ok(small.includes('  slot 31  starting, 3s, old one ready'));
  t.equal(small.at(-3), '  45 more slots, 13 ready, 32 to come');
  const large = progressLines(view, { width: 160, height: 50, colour: false });
  t.equal(large.length, 35, '32 lines with two slots each');
  t.match(large[1], /^ {2}slot {2}0 {2}ready {40,}slot 32 {2}old one ready$/);
  t.equal(large.filter((line) => /slot 31 .* slot 63 /.test(line)).length, 1);
});

t.test('no line is wider and no picture higher than the terminal, with colours or without', async (t) => {
  const many = workersOf(64, 62).map((one) => ({ ...one, connections: 123_456 }));
  for (const colour of [false, true]) {
    for (const workers of [workersOf(2, 0), workersOf(64, 30), many, []]) {
      for (const [width, height] of [
        ...SIZES.map(({ width, height }) => [width, height] as const),
        [20, 5],
        [1, 1],
        [300, 8],
      ] as const) {
        const lines = progressLines(viewOf({ size: Math.max(2, workers.length), workers }), { width, height, colour });
        t.ok(lines.length <= Math.max(1, height - 1), `${lines.length} lines of ${height}`);
        for (const line of lines) {
          // biome-ignore lint/suspicious/noControlCharactersInRegex: colours take no room
          const plain = line.replace(/\u001b\[\d+m/g, '');
          t.ok(plain.length <= width && (colour || plain === line), `${plain.length} of ${width}`);
        }
      }
    }
  }
});

t.test('a worker on trial, and how long it has to prove itself', async (t) => {
  const workers = [worker(1, 0, 1, 'ready'), worker(3, 0, 2, 'ready'), worker(2, 1, 1, 'ready')];
  const trial = { slot: 0, remainingMs: 1_300 };
  const lines = progressLines(viewOf({ rollout: { ...ROLLING, trial }, workers }), { ...SIZES[0], colour: false });
  t.equal(lines[0], 'shop  reload  generation 1 to 2  0 of 2 replaced  12s gone', 'nothing is expected yet');
  t.same(lines.slice(1, 3), ['  slot  0  on trial, 2s left, old one ready', '  slot  1  old one ready']);
});

t.test("a canary's figures stand beside those of the old generation", async (t) => {
  const canary = {
    ...{ slot: 2, share: 0.05, exact: true, remainingMs: 61_000 },
    figures: {
      canary: { answers: 400, serverErrors: 2, p99Ms: 12.3, loopDelayMs: 0.4 },
      others: { answers: 0, serverErrors: 0, p99Ms: null, loopDelayMs: null },
    },
  };
  const workers = [worker(1, 0, 1, 'ready'), worker(2, 1, 1, 'ready'), worker(3, 2, 2, 'ready')];
  const view = viewOf({ rollout: { ...ROLLING, canary }, workers });
  t.same(progressLines(view, { ...SIZES[0], colour: false }), [
    'shop  reload  generation 1 to 2  0 of 2 replaced  12s gone  about 1m 1s to go',
    '  slot  0  old one ready',
    '  slot  1  old one ready',
    '  slot  2  canary',
    '  canary in slot 2, 5% of new connections, 1m 1s left',
    '                       answers         5xx         p99  loop delay',
    '    canary                 400        0.5%        12ms       0.4ms',
    '    old generation           0           -           -           -',
    '  worker ready slot=0',
    '  Ctrl-C leaves this view',
  ]);
});

t.test('a rollout that is being rolled back, a scale, a stop, and nothing known yet', async (t) => {
  const lines = (view: ProgressView) => progressLines(view, { ...SIZES[0], colour: false });
  const back = viewOf({ generation: 1, rollout: { ...ROLLING, reason: 'exit code 1' }, workers: workersOf(2, 0) });
  t.equal(lines(back)[0], 'shop  reload  generation 1 to 2  1 of 2 replaced  being rolled back  12s gone');
  const none: RolloutStatus = { ...ROLLING, state: 'none', from: null, to: null };
  const scale = viewOf(
    { rollout: none, generation: 1, size: 3, workers: [worker(1, 0, 1, 'ready'), worker(2, 1, 1, 'starting')] },
    { verb: 'scale', lastStep: null },
  );
  t.same(lines(scale), [
    'shop  scale  generation 1  1 of 3 ready  12s gone',
    '  slot  0  ready',
    '  slot  1  starting, 3s',
    '  slot  2  empty',
    '  Ctrl-C leaves this view',
  ]);
  const stop = viewOf(
    {
      rollout: none,
      state: 'stopping',
      generation: 1,
      workers: [worker(1, 0, 1, 'terminating'), worker(2, 3, 1, 'killing')],
    },
    { verb: 'stop' },
  );
  t.same(lines(stop).slice(0, 3), [
    'shop  stop  2 of 2 workers left  12s gone',
    '  slot  0  ending',
    '  slot  3  killed',
  ]);
  t.same(lines(viewOf(null)).slice(0, 2), ['shop  reload  12s gone', '  asking the supervisor']);
  t.equal(summaryLine(scale, { ...SIZES[0], colour: false }), 'shop  scale  generation 1  1 of 3 ready  12s gone');
});

t.test('what comes from elsewhere cannot move the cursor', async (t) => {
  const lines = progressLines(viewOf({ workers: [] }, { name: 'sh\u001b[2Jop', lastStep: 'a\nb\u009b2J\rc' }), {
    ...SIZES[0],
    colour: false,
  });
  t.equal(lines[0]?.includes('\u001b'), false);
  t.ok(lines.includes('  a b 2J c'));
});

t.test('what is expected goes by the pace so far', async (t) => {
  const status = (done: number, rollout: Partial<RolloutStatus> = {}) =>
    statusOf('shop', {
      size: 4,
      rollout: { ...ROLLING, ...rollout },
      workers: [0, 1, 2, 3].slice(0, done).map((slot) => worker(slot, slot, 2, 'ready')),
    });
  const since = { done: 1, atMs: 5_000 };
  t.equal(expectedMs(status(0), 5_000, null), null);
  t.equal(expectedMs(status(1), 6_000, since), null, 'the first one had a trial, and may have been there before');
  t.equal(expectedMs(status(2), 6_000, since), 2_000);
  t.equal(expectedMs(status(3), 9_000, since), 2_000);
  t.equal(expectedMs(status(4), 9_000, since), null);
  t.equal(expectedMs(status(2, { reason: 'exit code 1' }), 9_000, since), null);
  t.equal(expectedMs(status(2, { state: 'done' }), 9_000, since), null);
});
