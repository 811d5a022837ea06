/**
 * Opens connections one after the other and keeps them all until the last is there; one request over each tells who has
 * it. node hold-client.js PORT COUNT EVERY_MS
 */
import net from 'node:net';
import { errorKind } from './one-connection.js';

const [port, count, everyMs] = process.argv.slice(2).map(Number);
const byPid = {};
const errors = {};
const sockets = [];
let settled = 0;

function open() {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
  let isOver = false;
  const settle = (record, key) => {
    if (isOver) return;
    isOver = true;
    record[key] = (record[key] ?? 0) + 1;
    settled += 1;
    if (settled === count) report();
  };
  sockets.push(socket);
  socket.on('connect', () => socket.write('GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'));
  socket.on('data', (chunk) => settle(byPid, /x-pid: (\d+)/i.exec(chunk.toString('latin1'))?.[1]));
  socket.on('error', (error) => settle(errors, errorKind(error)));
  socket.on('close', () => settle(errors, 'hang-up'));
  socket.setTimeout(5_000, () => settle(errors, 'timeout'));
}

function report() {
  // Who was cut off in the meantime is no longer held by anybody.
  const lost = sockets.filter((socket) => socket.destroyed).length;
  if (lost > 0) errors.lost = lost;
  console.log(JSON.stringify({ byPid, errors }));
  for (const socket of sockets) socket.destroy();
}

for (let i = 0; i < count; i++) setTimeout(open, i * everyMs);
