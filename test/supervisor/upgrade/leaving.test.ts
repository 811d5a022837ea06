import t from 'tap';
import { leaveLack } from '../../../src/supervisor/upgrade/lack.js';

const ALONE = { notifySocket: null, execPid: undefined, pid: 4711 };

t.test('whose end would be that of a service leaves its workers to nobody', async (t) => {
  t.equal(leaveLack(ALONE), null);
  t.equal(leaveLack({ ...ALONE, execPid: '4710' }), null, 'what systemd has started is another one, such as a shell');
  t.match(leaveLack({ ...ALONE, execPid: '4711' }), /^systemd has started it.*holdfast upgrade/);
  t.match(leaveLack({ ...ALONE, notifySocket: '/run/systemd/notify' }), /^systemd has started it/);
  t.match(leaveLack({ ...ALONE, pid: 1 }), /^it is process 1/);
});
