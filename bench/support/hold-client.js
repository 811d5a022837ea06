/**
 * Connections that stay: COUNT at once, and more of them, one after the other, when the parent says so. Who is cut off
 * connects anew, as clients of long-lived connections do; now and then everybody asks who has it.
 * node hold-client.js PORT COUNT MORE EVERY_MS
 *
 * Standard input: `count` answers with a line of JSON, connections by PID; `more` opens more and then answers the same.
 */
import net from 'node:net';
import readline from 'node:readline';
import { errorKind } from './one-connection.js';

const [port, count, more, everyMs] = process.argv.slice(2).map(Number);
const PATIENCE_MS = 5_000;
const RECONNECT_MS = 10;
const connections = [];
const errors = {};

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function open(i) {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
  connections[i] = socket;
  socket.on('error', (error) => {
    const kind = errorKind(error);
    errors[kind] = (errors[kind] ?? 0) + 1;
  });
  socket.on('close', () => setTimeout(open, RECONNECT_MS, i));
}

/** @returns its PID, or null if the connection was cut off meanwhile */
function whoHas(socket) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, PATIENCE_MS, null);
    socket.once('close', () => resolve(null));
    socket.once('data', (chunk) => {
      clearTimeout(timer);
      resolve(/x-pid: (\d+)/i.exec(chunk.toString('latin1'))?.[1] ?? null);
    });
    socket.write('GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
  });
}

async function tell() {
  const byPid = {};
  for (let i = 0; i < connections.length; i++) {
    const pid = (await whoHas(connections[i])) ?? 'nobody';
    byPid[pid] = (byPid[pid] ?? 0) + 1;
  }
  console.log(JSON.stringify({ byPid, errors }));
}

for (let i = 0; i < count; i++) {
  open(i);
  await pause(2);
}
for await (const line of readline.createInterface({ input: process.stdin })) {
  if (line === 'more') {
    for (let i = 0; i < more; i++) {
      open(count + i);
      await pause(everyMs);
    }
  }
  await tell();
}
process.exit(0);
