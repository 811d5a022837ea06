import t from 'tap';
import { steeringState } from '../../../../src/supervisor/upkeep/steering/steering-state.js';
import { Driver, PORT } from '../../../core/driver.js';

const choice = { steered: true, reason: 'this kernel takes a program' };

function stateOf(d: Driver, missing: Record<number, string[]> = {}, failure: string | null = null) {
  const { state, table: sockets } = d;
  return steeringState({ choice, failure, state, sockets, missing: (worker) => missing[worker] ?? [] });
}

t.test('steering is on as long as nothing is known against it', async (t) => {
  const d = Driver.running({ size: 2, steered: true });
  t.same(stateOf(d), { ...choice, exact: true });
  t.same(stateOf(d, { 1: ['hand-over of connections: no'] }), { ...choice, exact: true }, 'what else is missing');
});

t.test('where it was not to be had, or has failed, that is told before all else', async (t) => {
  const d = Driver.running({ size: 2, steered: true });
  const missing = { 1: ['adoption: no owner'] };
  t.same(stateOf(d, missing, 'EPERM'), { steered: false, reason: 'EPERM', exact: false });
  const { state, table: sockets } = d;
  const never = { steered: false, reason: 'no koffi' };
  t.same(steeringState({ choice: never, failure: null, state, sockets, missing: () => [] }), {
    ...never,
    exact: false,
  });
});

t.test('a worker that cannot adopt, or has no sockets in custody, is told with what it lacks', async (t) => {
  const d = Driver.running({ size: 3, steered: true });
  const one = stateOf(d, { 2: ['figures: no', 'adoption: handles have no owner_symbol'] });
  t.match(one, { steered: false, exact: true });
  t.match(one.reason, /^worker 2 cannot accept .*\(adoption: handles have no owner_symbol\); the kernel goes by/);
  const all = stateOf(d, Object.fromEntries([1, 2, 3].map((id) => [id, ['sockets in custody: not known']])));
  t.match(all.reason, /^worker 1 does not listen on .*not known\), and 2 more; /);
});

t.test('so is one that did not accept when it was asked, and said nothing before', async (t) => {
  const d = Driver.running({ size: 3, steered: true });
  d.send({ type: 'congested', socket: { slot: 0, key: PORT }, helpers: [1] });
  d.send({ type: 'notAdopted', worker: 2, socket: { slot: 0, key: PORT } });
  t.match(stateOf(d), {
    steered: false,
    reason: /^worker 2 did not accept on the socket of slot 0 \(0\.0\.0\.0:8080\)/,
  });
  t.match(stateOf(d, { 2: ['adoption: no owner'] }).reason, /^worker 2 cannot accept .*owner\); the kernel/, 'once');
});

t.test('what a worker lacks is told no longer when it goes', async (t) => {
  const d = Driver.running({ size: 2, steered: true });
  const missing = { 1: ['adoption: no owner'] };
  t.equal(stateOf(d, missing).steered, false);
  d.reload();
  d.bindAll();
  t.equal(stateOf(d, missing).steered, true, 'its successor can');
});
