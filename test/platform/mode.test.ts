import t from 'tap';
import { chooseListenMode, chooseSteering } from '../../src/platform/mode.js';
import type { ReusePortCapability } from '../../src/platform/probe.js';

const byNode: ReusePortCapability = { supported: true, how: 'node', reason: 'Node sets it' };
const byLibc: ReusePortCapability = { supported: true, how: 'native', reason: 'libc sets it' };
const missing: ReusePortCapability = { supported: false, how: null, reason: 'nobody sets it' };
const steered = { supported: true, reason: 'it takes a program' };
const own = { mode: 'reuseport', reason: 'it is supported' } as const;
const shared = { mode: 'reuseaddr', reason: 'no koffi' } as const;
const refused = { supported: false, reason: 'no koffi' };

t.test('chooses the mode by configuration and capability, and says why', async (t) => {
  const shared = (reason: string) => ({ mode: 'reuseaddr', how: null, reason });
  const own = (how: string, reason: string) => ({ mode: 'reuseport', how, reason });
  const table = [
    ['auto', 'auto', byNode, steered, own('node', 'this machine supports SO_REUSEPORT: Node sets it')],
    ['auto', 'auto', byLibc, steered, own('native', 'this machine supports SO_REUSEPORT: libc sets it')],
    [
      ...(['auto', 'auto', missing, steered] as const),
      shared('this machine does not support SO_REUSEPORT, so all workers share one socket: nobody sets it'),
    ],
    [
      ...(['auto', 'auto', byNode, refused] as const),
      shared('connections cannot be steered here, so all workers share one socket: no koffi'),
    ],
    ['auto', 'off', byNode, steered, shared('steering is turned off, so all workers share one socket')],
    ['reuseport', 'auto', byLibc, refused, own('native', 'the configuration asks for reuseport: libc sets it')],
    ['reuseport', 'off', byNode, steered, own('node', 'the configuration asks for reuseport: Node sets it')],
    ['reuseaddr', 'auto', byNode, steered, shared('the configuration asks for reuseaddr')],
    ['reuseaddr', 'auto', missing, refused, shared('the configuration asks for reuseaddr')],
  ] as const;
  for (const [listenMode, steering, reusePort, can, expected] of table) {
    const title = `${listenMode}, steering ${steering}, ${reusePort.reason}, ${can.reason}`;
    t.same(chooseListenMode({ listenMode, steering }, { reusePort, steering: can }), expected, title);
  }
});

t.test('programs share a socket, whatever is supported', async (t) => {
  const can = { reusePort: byNode, steering: steered };
  t.match(chooseListenMode({ listenMode: 'auto', steering: 'auto', exec: true }, can), {
    mode: 'reuseaddr',
    how: null,
  });
});

t.test('refuses reuseport as wrong use where it is demanded and cannot be had', async (t) => {
  const demanded = { listenMode: 'reuseport', steering: 'auto' } as const;
  t.throws(() => chooseListenMode(demanded, { reusePort: missing, steering: steered }), {
    name: 'HoldfastError',
    code: 'REUSEPORT_UNSUPPORTED',
    exitCode: 2,
    message: 'cannot use listen mode reuseport: this machine does not support SO_REUSEPORT (nobody sets it)',
    hint: /--listen-mode auto/,
  });
});

t.test('steers where there are sockets to choose from and the kernel takes a program', async (t) => {
  const wanted = { steering: 'auto', affinity: 'none' } as const;
  t.match(chooseSteering(wanted, own, { steering: steered }), { steered: true, reason: /takes a program/ });
  t.match(chooseSteering(wanted, own, { steering: refused }), { steered: false, reason: /hash: no koffi/ });
  t.match(chooseSteering(wanted, shared, { steering: steered }), { steered: false, reason: 'no koffi' });
  const off = { steering: 'off', affinity: 'none' } as const;
  t.match(chooseSteering(off, own, { steering: steered }), { steered: false, reason: /configuration/ });
});

t.test('refuses an affinity that cannot be kept, rather than lose sessions', async (t) => {
  const wanted = { steering: 'auto', affinity: 'client-ip' } as const;
  t.match(chooseSteering(wanted, own, { steering: steered }), { steered: true });
  for (const [listen, can] of [
    [own, refused],
    [shared, steered],
  ] as const) {
    t.throws(() => chooseSteering(wanted, listen, { steering: can }), {
      code: 'AFFINITY_UNSUPPORTED',
      exitCode: 2,
      message: /^cannot keep affinity client-ip without steering: .*no koffi$/,
      hint: /--affinity none/,
    });
  }
});
