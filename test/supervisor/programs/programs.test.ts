import { once } from 'node:events';
import net from 'node:net';
import t from 'tap';
import { acceptedConnection, parseInodes, reachable } from '../../../src/supervisor/programs/acceptance.js';
import { askHealth, statusOf } from '../../../src/supervisor/programs/ask-health.js';
import { isReady, notifyName } from '../../../src/supervisor/programs/notify-socket.js';
import { programVariables } from '../../../src/supervisor/programs/program-process.js';

t.test('a connection is known by the port that it comes from, and its end by its inode', async (t) => {
  const head = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
  const row = (local: string, peer: string, inode: number) =>
    `   1: ${local} ${peer} 01 00000000:00000000 00:00000000 00000000  1000        0 ${inode} 1 0000000000000000 20 4 30 10 -1\n`;
  const text = [
    head,
    row('0100007F:1F90', '00000000:0000', 7),
    row('0100007F:1F90', '0100007F:9C40', 11),
    row('00000000000000000000000001000000:1F90', '00000000000000000000000001000000:9C41', 0),
    row('0100007F:9C40', '0100007F:1F90', 12),
    'nonsense\n',
  ].join('');
  t.same(
    [...parseInodes(text, 8080)],
    [
      [40_000, 11],
      [40_001, 0],
    ],
  );
  t.same([...parseInodes('', 8080)], []);
  t.same(reachable({ host: '0.0.0.0', port: 1 }), { host: '127.0.0.1', port: 1 });
  t.same(reachable({ host: '::', port: 1 }), { host: '::1', port: 1 });
  t.same(reachable({ host: '10.0.0.1', port: 1 }), { host: '10.0.0.1', port: 1 });
});

const skip = process.platform === 'linux' ? false : 'needs /proc';

t.test('a connection that this process has accepted is told from one that waits', { skip }, async (t) => {
  const server = net.createServer({ pauseOnConnect: true });
  const accepted: net.Socket[] = [];
  server.on('connection', (socket) => accepted.push(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    for (const socket of accepted) socket.destroy();
  });
  const place = { host: '127.0.0.1', port: (server.address() as net.AddressInfo).port };
  const stop = new AbortController();
  const own = await acceptedConnection(process.pid, place, () => 0, stop.signal);
  t.ok(own);
  t.equal(accepted.length, 1, 'one is enough where there is nobody else');
  own?.destroy();
  const others = acceptedConnection(1, place, () => 1, stop.signal);
  await once(server, 'connection');
  stop.abort();
  t.equal(await others, null, 'of another process, nothing');
});

t.test('health goes by the status of the answer itself', async (t) => {
  t.equal(statusOf('HTTP/1.1 200 OK\r\n'), 200);
  t.equal(statusOf('HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 503 No\r\n'), 503);
  t.equal(statusOf('HTTP/1.1 100 Continue\r\n'), null);
  t.equal(statusOf('HTTP/1.1 2'), null);
  const answers = ['HTTP/1.0 204 None\r\n\r\n', 'HTTP/1.1 500 Oh\r\n\r\n', 'hello\n'];
  const server = net.createServer((socket) => socket.once('data', () => socket.end(answers.shift() ?? '')));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as net.AddressInfo;
  const ask = () => askHealth(net.connect(port, '127.0.0.1'), '/ok', 'x');
  t.equal(await ask(), null);
  t.equal(await ask(), 'GET /ok answered 500');
  t.equal(await ask(), 'GET /ok was not answered in HTTP/1.1');
  server.close();
  t.match(await ask(), /^GET \/ok was not answered: .*ECONNREFUSED/);
});

t.test('READY=1 is a line of its own', async (t) => {
  t.equal(isReady('READY=1'), true);
  t.equal(isReady('STATUS=up\nREADY=1\nMAINPID=2'), true);
  t.equal(isReady('READY=10'), false);
  t.equal(isReady('STATUS=READY=1'), false);
  t.equal(notifyName('shop', 3), '.shop-3.notify');
});

t.test('a program is told its sockets and who it is', async (t) => {
  const identity = { worker: 5, slot: 1, generation: 2, name: 'shop' };
  const config = { env: { A: '1', HOLDFAST_SLOT: '9' }, instanceVar: 'SEAT' };
  const release = { config } as unknown as Parameters<typeof programVariables>[1];
  const sockets = [
    { name: 'http', fd: 20 },
    { name: '81', fd: 21 },
  ];
  t.same(programVariables(identity, release, { sockets, notifyPath: '/run/x' }), {
    ...{ SEAT: '1', A: '1', HOLDFAST_NAME: 'shop', HOLDFAST_SLOT: '1', HOLDFAST_GENERATION: '2' },
    ...{ LISTEN_FDS: '2', LISTEN_FDNAMES: 'http:81', NOTIFY_SOCKET: '/run/x' },
  });
  const without = programVariables(identity, release, { sockets: [], notifyPath: null });
  t.notOk('LISTEN_FDS' in without || 'NOTIFY_SOCKET' in without);
});
