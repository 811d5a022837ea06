import t from 'tap';
import { Told } from '../../../../src/supervisor/workers/channel/told.js';

t.test(
  'a worker may have a socket of its own in place of one for datagrams that it was given, and of no other',
  async (t) => {
    const told = new Told();
    for (const key of ['udp:0.0.0.0:53', '127.0.0.1:80', 'unix:/run/app']) {
      told.note({ cmd: 'NODE_HOLDFAST', type: 'socket', seq: 1, key, errno: 0 });
    }
    told.expect({ cmd: 'NODE_HOLDFAST', type: 'opened', key: 'udp:0.0.0.0:53/own' });
    const forged = [
      'udp:0.0.0.0:53/own/own',
      'udp:0.0.0.0:53',
      'udp:0.0.0.0:54/own',
      '127.0.0.1:80/own',
      'unix:/run/app/own',
      '/own',
    ];
    for (const key of forged) {
      t.throws(() => told.expect({ cmd: 'NODE_HOLDFAST', type: 'opened', key }), { message: /^opened: / }, key);
    }
  },
);
