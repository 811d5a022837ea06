import t from 'tap';
import { chooseListenMode } from '../../src/platform/mode.js';
import type { ReusePortCapability } from '../../src/platform/probe.js';

const byNode: ReusePortCapability = { supported: true, how: 'node', reason: 'Node sets it' };
const byLibc: ReusePortCapability = { supported: true, how: 'native', reason: 'libc sets it' };
const missing: ReusePortCapability = { supported: false, how: null, reason: 'nobody sets it' };

t.test('chooses the mode by wish and capability, and says why', async (t) => {
  const table = [
    ['auto', byNode, { mode: 'reuseport', how: 'node', reason: 'this machine supports SO_REUSEPORT: Node sets it' }],
    ['auto', byLibc, { mode: 'reuseport', how: 'native', reason: 'this machine supports SO_REUSEPORT: libc sets it' }],
    [
      'auto',
      missing,
      {
        mode: 'reuseaddr',
        how: null,
        reason: 'this machine does not support SO_REUSEPORT, so all workers share one socket: nobody sets it',
      },
    ],
    [
      'reuseport',
      byLibc,
      { mode: 'reuseport', how: 'native', reason: 'the configuration asks for reuseport: libc sets it' },
    ],
    ['reuseaddr', byNode, { mode: 'reuseaddr', how: null, reason: 'the configuration asks for reuseaddr' }],
    ['reuseaddr', missing, { mode: 'reuseaddr', how: null, reason: 'the configuration asks for reuseaddr' }],
  ] as const;
  for (const [wanted, reusePort, expected] of table) {
    t.same(chooseListenMode(wanted, { reusePort }), expected, `${wanted}, ${reusePort.reason}`);
  }
});

t.test('refuses reuseport as wrong use where it is demanded and cannot be had', async (t) => {
  t.throws(() => chooseListenMode('reuseport', { reusePort: missing }), {
    name: 'HoldfastError',
    code: 'REUSEPORT_UNSUPPORTED',
    exitCode: 2,
    message: 'cannot use listen mode reuseport: this machine does not support SO_REUSEPORT (nobody sets it)',
    hint: /--listen-mode auto/,
  });
});
