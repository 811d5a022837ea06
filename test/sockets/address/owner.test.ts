import { chownSync } from 'node:fs';
import { basename } from 'node:path';
import t from 'tap';
import { findOwner, parseProcNetTcp } from '../../../src/sockets/address/owner.js';
import { startStranger } from '../../fixtures/sockets/support.js';
import { freePort } from '../../support/ports.js';

const isRoot = process.getuid?.() === 0;
const HEAD = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';

function row(address: string, { state = '0A', uid = 1000, inode = 4711 } = {}): string {
  const zeros = address.startsWith('0000000000000000') || address.length > 20 ? '0'.repeat(32) : '00000000';
  const rest = '00000000:00000000 00:00000000 00000000';
  return `   0: ${address} ${zeros}:0000 ${state} ${rest}  ${uid}        0 ${inode} 1 0000000000000000 100 0 0 10 0\n`;
}

t.test('reads the lines of /proc/net/tcp and tcp6', async (t) => {
  const table = [
    ['0100007F:0BB8', '127.0.0.1', 3000],
    ['00000000:0050', '0.0.0.0', 80],
    ['0A01A8C0:FFFF', '192.168.1.10', 65535],
    [`${'0'.repeat(32)}:0BB8`, '::', 3000],
    ['00000000000000000000000001000000:0BB8', '::1', 3000],
    ['B80D0120000000000000000001000000:0BB8', '2001:db8::1', 3000],
    ['0000000000000000FFFF00000100007F:0BB8', '127.0.0.1', 3000],
    ['0000000000000000FFFF00000A01A8C0:0050', '192.168.1.10', 80],
  ] as const;
  for (const [address, host, port] of table) {
    const expected = [{ host, port, state: 10, uid: 1000, inode: 4711 }];
    t.same(parseProcNetTcp(HEAD + row(address), 'LE'), expected, address);
  }
});

t.test('reads addresses by the byte order of the machine', async (t) => {
  t.match(parseProcNetTcp(row('7F000001:0BB8'), 'BE'), [{ host: '127.0.0.1', port: 3000 }]);
  t.match(parseProcNetTcp(row('20010DB8000000000000000000000001:0BB8'), 'BE'), [{ host: '2001:db8::1' }]);
});

t.test('keeps state, user and inode of each line apart', async (t) => {
  const text = HEAD + row('0100007F:0BB8', { state: '01', uid: 0, inode: 1 }) + row('00000000:0BB9', { inode: 2 });
  t.match(parseProcNetTcp(text, 'LE'), [
    { state: 1, uid: 0, inode: 1 },
    { state: 10, uid: 1000, inode: 2, port: 3001 },
  ]);
});

t.test('leaves out what is no socket', async (t) => {
  t.same(parseProcNetTcp(`${HEAD}\nnonsense\n  0: XYZ:1 00\n`), []);
  t.same(parseProcNetTcp(''), []);
});

t.test('names the process that listens', async (t) => {
  const stranger = await startStranger(t, '127.0.0.1', 0);
  for (const host of ['127.0.0.1', '0.0.0.0', '::', null]) {
    const owner = await findOwner(host, stranger.port);
    t.match(owner, { pid: stranger.pid, uid: process.getuid?.(), address: `127.0.0.1:${stranger.port}` }, `${host}`);
    t.match(owner?.command, new RegExp(`^${basename(process.execPath)} .*sockets`));
  }
  t.equal(await findOwner('127.0.0.2', stranger.port), null, 'another address');
});

t.test('names the process that listens on an address that is wider', async (t) => {
  const stranger = await startStranger(t, '::', 0);
  t.match(await findOwner('127.0.0.1', stranger.port), { pid: stranger.pid, address: `[::]:${stranger.port}` });
});

t.test('finds nobody on a free port', async (t) => {
  t.equal(await findOwner(null, await freePort()), null);
});

t.test('prefers who listens on exactly that address', async (t) => {
  const proc = t.testdir({
    net: { tcp: HEAD + row('00000000:0BB8', { inode: 1 }) + row('0100007F:0BB8', { inode: 2, uid: 7 }), tcp6: HEAD },
  });
  t.same(await findOwner('127.0.0.1', 3000, proc), { pid: null, uid: 7, command: null, address: '127.0.0.1:3000' });
});

t.test('ignores sockets that do not listen', async (t) => {
  const proc = t.testdir({ net: { tcp: HEAD + row('0100007F:0BB8', { state: '06' }), tcp6: HEAD } });
  t.equal(await findOwner('127.0.0.1', 3000, proc), null);
});

t.test('tells the user alone when the process is hidden, and nobody where there is no proc', async (t) => {
  const proc = t.testdir({ net: { tcp: HEAD + row('0100007F:0BB8', { uid: 33 }) }, 17: { cmdline: 'secret' } });
  t.same(await findOwner('127.0.0.1', 3000, proc), { pid: null, uid: 33, command: null, address: '127.0.0.1:3000' });
  t.equal(await findOwner('127.0.0.1', 3000, `${proc}/none`), null);
});

t.test('shows the start of a command, with nothing in it that steers a terminal', async (t) => {
  const holder = (cmdline: string) => ({ cmdline, fd: { 3: t.fixture('symlink', 'socket:[4711]') } });
  const proc = t.testdir({
    net: { tcp: HEAD + row('0100007F:0BB8') },
    2: { cmdline: 'other', fd: { 0: t.fixture('symlink', '/dev/null') } },
    100: holder('later\0'),
    20: holder(`/usr/bin/node\0\x1b[31m\u202eapp.js\n\0${'x'.repeat(300)}\0`),
  });
  const owner = await findOwner('127.0.0.1', 3000, proc);
  t.equal(owner?.pid, 20, 'the lowest of those who hold it');
  t.equal(owner?.command, `node [31mapp.js ${'x'.repeat(300)}`.slice(0, 120));
});

t.test('leaves a title that a process gave itself as it is', async (t) => {
  const fd = { 3: t.fixture('symlink', 'socket:[4711]') };
  const title = 'nginx: master process /usr/sbin/nginx';
  const proc = t.testdir({ net: { tcp: HEAD + row('0100007F:0BB8') }, 20: { fd, cmdline: `${title}\0\0\0` } });
  t.match(await findOwner(null, 3000, proc), { command: title });
});

t.test('does without a command that cannot be read', async (t) => {
  const fd = { 3: t.fixture('symlink', 'socket:[4711]') };
  const net = { tcp: HEAD + row('0100007F:0BB8') };
  t.match(await findOwner(null, 3000, t.testdir({ net, 20: { fd } })), { pid: 20, command: null });
  t.match(await findOwner(null, 3000, t.testdir({ net, 20: { fd, cmdline: '' } })), { pid: 20, command: null });
});

t.test('answers soon where there are many files, and finds the owner later', async (t) => {
  const files = (inode: number, count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, fd) => [fd, t.fixture('symlink', `socket:[${inode}]`)]));
  const proc = t.testdir({
    net: { tcp: HEAD + row('0100007F:0BB8') },
    2: { fd: files(1, 3) },
    3: { fd: files(2, 3) },
    20: { fd: files(4711, 1), cmdline: 'shop' },
  });
  const owner = await findOwner('127.0.0.1', 3000, proc, 8);
  t.match(owner, { pid: null, uid: 1000, command: null, address: '127.0.0.1:3000' });
  t.match(await owner?.later?.(), { pid: 20, command: 'shop', address: '127.0.0.1:3000' });
  const soon = await findOwner('127.0.0.1', 3000, proc, 9);
  t.match(soon, { pid: 20 });
  t.equal(soon?.later, undefined);
});

t.test('looks at the processes of its user first', { skip: isRoot ? false : 'needs root' }, async (t) => {
  const holder = () => ({ fd: { 3: t.fixture('symlink', 'socket:[4711]') } });
  const net = { tcp: HEAD + row('0100007F:0BB8', { uid: 33 }) };
  const proc = t.testdir({ net, 20: holder(), 21: holder(), 22: holder() });
  for (const pid of [21, 22]) chownSync(`${proc}/${pid}`, 33, 33);
  t.match(await findOwner('127.0.0.1', 3000, proc), { pid: 21 });
});
