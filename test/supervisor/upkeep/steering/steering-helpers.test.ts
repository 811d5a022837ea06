import t from 'tap';
import type { CustodySocket } from '../../../../src/sockets/custody/custody.js';
import { type Helper, Helpers } from '../../../../src/supervisor/upkeep/steering/steering-helpers.js';

const socketOf = (slot: number, key = '0.0.0.0:80') => ({ slot, key }) as CustodySocket;
const helper = (slot: number, idle: boolean, key?: string): Helper => {
  return { socket: socketOf(slot, key), slot, idle, length: 0, connections: 0 };
};

t.test('those who have time for the same address help, in the order in which they are given', async (t) => {
  const helpers = new Helpers(() => [helper(3, true), helper(0, true), helper(1, false), helper(2, true, '[::]:80')]);
  t.same(helpers.of(socketOf(0), false), [3], 'nobody helps itself');
  t.same(helpers.of(socketOf(2), false), [3, 0]);
  t.same(helpers.of(socketOf(0), true), [3, 1], 'somebody who is busy is better than nobody');
});

t.test('they are found out once for each look, and only if anybody asks', async (t) => {
  let count = 0;
  const helpers = new Helpers(() => {
    count += 1;
    return [];
  });
  t.equal(count, 0);
  helpers.of(socketOf(0), false);
  helpers.of(socketOf(1), true);
  t.equal(count, 1);
});
