import t from 'tap';
import { readSnapshot } from '../../../src/supervisor/takeover/orphans/snapshot.js';
import { type PassedState, readPassedState, writePassedState } from '../../../src/supervisor/upgrade/passed-state.js';

const STATE: PassedState = {
  ...{ version: '0.2.0', generation: 7, nextWorker: 31, size: 4, configuredSize: 2, rollout: null },
  totals: { restarts: { crashed: 3, failed: 1, hung: 0, recycled: 2 }, rollouts: { done: 6, rolledBack: 1 } },
  slots: [{ slot: 0, restarts: 2, recycled: 0, reason: 'a worker exited with code 1' }],
  workers: [{ pid: 4711, startedAt: '99' }],
  sockets: [{ cookie: '4097', key: '*:80', slot: 0, index: 0 }],
  upgrade: {
    ...{ id: 'a1', version: '0.2.0', nodeVersion: 'v22.1.0', failure: null, uptimeMs: 1.5 },
    program: {
      ...{ node: '/usr/bin/node', nodeArgs: ['--no-warnings'], script: '/opt/1/bin/holdfast.js' },
      ...{ named: '/usr/bin/holdfast', args: ['start', 'app.js'] },
    },
    sockets: [{ fd: 21, name: 'holdfast/0/0/*%3A80' }],
    control: { fd: 22, entry: '0a1b2c3d' },
    admin: { fd: 23, host: null, port: 9100 },
    history: [{ atMs: 1, what: 'crashed', slot: 0, reason: 'exit code 1' }],
    logs: ['{"msg":"started"}'],
    handover: { handed: 1, refused: 2, takenBack: 3, stayed: { 'a request': 4 } },
    cutOff: { http1: 2 },
    observed: { tallies: { format: 1, live: [], kept: [] } },
  },
};

t.test(
  'what is passed on is read by the same version, and as a snapshot by one that knows of no upgrade',
  async (t) => {
    const written = writePassedState(STATE);
    t.same(readPassedState(written), { ok: true, snapshot: STATE });
    const { upgrade: _, ...snapshot } = STATE;
    t.same(readSnapshot(written), { ok: true, snapshot });
  },
);

t.test('a newer version may have written more, an older one less', async (t) => {
  const written = JSON.parse(writePassedState(STATE));
  written.upgrade.weather = 'fine';
  written.upgrade.program.colour = 'blue';
  t.same(readPassedState(JSON.stringify(written)), { ok: true, snapshot: STATE });
  const { id, program } = STATE.upgrade;
  t.match(readPassedState(JSON.stringify({ format: 1, upgrade: { id, program } })), {
    ok: true,
    snapshot: {
      generation: 1,
      upgrade: { sockets: [], control: null, admin: null, failure: null, logs: [], history: [], observed: null },
    },
  });
});

t.test('what is none is refused with the reason', async (t) => {
  const changed = (change: (upgrade: Record<string, unknown>) => void) => {
    const written = JSON.parse(writePassedState(STATE));
    change(written.upgrade);
    return readPassedState(JSON.stringify(written));
  };
  t.match(readPassedState('{"format":2}'), { ok: false, reason: /format must be one of 1/ });
  t.match(readPassedState('{"format":1}'), { ok: false, reason: /upgrade must be an object/ });
  t.match(
    changed((upgrade) => (upgrade.sockets = [{ fd: 1, name: 'a' }])),
    { ok: false, reason: /sockets\[0\]\.fd/ },
  );
  t.match(
    changed((upgrade) => (upgrade.program = {})),
    { ok: false, reason: /program\.node/ },
  );
  t.match(
    changed((upgrade) => (upgrade.logs = 'all')),
    { ok: false, reason: /logs must be a list/ },
  );
});
