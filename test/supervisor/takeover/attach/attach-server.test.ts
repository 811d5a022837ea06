import t from 'tap';
import { judgePeer } from '../../../../src/supervisor/takeover/attach/attach-server.js';
import type { Attach } from '../../../../src/supervisor/takeover/attach/introduction.js';
import type { FoundOrphan } from '../../../../src/supervisor/takeover/orphans/orphans.js';

const ATTACH: Attach = {
  ...{ cmd: 'NODE_HOLDFAST', type: 'attach', worker: 7, slot: 1, generation: 3, pid: 100, uptimeMs: 5 },
  ...{ saidReady: false, held: false, listening: [], steady: [], draining: false, drained: false, missing: [] },
  ...{ sockets: 0, stdout: '', stderr: '' },
};
const FOUND: FoundOrphan = {
  ...{ worker: 7, slot: 1, generation: 3, pid: 100, startedAt: '99', attachAt: '/run/holdfast/shop.attach', endMs: 1 },
  isForeign: false,
};
const UID = 1_000;

t.test('a worker is who the kernel and its environment say that it is', async (t) => {
  t.equal(judgePeer(ATTACH, { pid: 100, uid: UID }, FOUND, UID), null);
  t.equal(judgePeer(ATTACH, null, FOUND, UID), null, 'its environment alone, where the kernel cannot be asked');
});

t.test('anybody else is refused', async (t) => {
  t.match(judgePeer(ATTACH, { pid: 100, uid: 1_001 }, FOUND, UID), 'another user (1001)');
  t.match(judgePeer(ATTACH, { pid: 101, uid: UID }, FOUND, UID), 'it says that it is process 100, and is 101');
  t.match(judgePeer(ATTACH, { pid: 100, uid: UID }, null, UID), 'process 100 is not a worker of this supervisor');
  for (const change of [{ worker: 8 }, { slot: 0 }, { generation: 2 }]) {
    const reason = judgePeer(ATTACH, { pid: 100, uid: UID }, { ...FOUND, ...change }, UID);
    t.match(reason, 'it says that it is worker 7, and was started as', JSON.stringify(change));
  }
});
