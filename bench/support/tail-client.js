/**
 * New connections at a fixed rate, whatever becomes of those before; each latency counts from the moment that was
 * planned, so that nothing is hidden. Beside them a request that blocks its worker, now and then.
 * node tail-client.js PORT SECONDS RATE BLOCK_MS BLOCK_EVERY_MS (0: none)
 */
import net from 'node:net';

const [port, seconds, rate, blockMs, blockEveryMs] = process.argv.slice(2).map(Number);
const PATIENCE_MS = 5_000;
const latencies = [];
const byPid = {};
const errors = {};
let open = 0;

function ask(plannedAt, path) {
  open += 1;
  const counts = path === '/';
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
  const timer = setTimeout(() => fail('timeout'), PATIENCE_MS);
  let settled = false;
  const settle = () => {
    if (settled) return false;
    settled = true;
    open -= 1;
    clearTimeout(timer);
    return true;
  };
  const fail = (kind) => {
    if (settle()) errors[kind] = (errors[kind] ?? 0) + 1;
    socket.destroy();
  };
  socket.on('connect', () =>
    socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nx-ms: ${blockMs}\r\n\r\n`),
  );
  socket.on('data', (chunk) => {
    if (!settle() || !counts) return;
    latencies.push(performance.now() - plannedAt);
    const pid = /x-pid: (\d+)/i.exec(chunk.toString('latin1'))?.[1];
    byPid[pid] = (byPid[pid] ?? 0) + 1;
  });
  socket.on('error', (error) => fail(error.code));
  socket.on('close', () => fail('hang-up'));
}

const begin = performance.now() + 100;
let asked = 0;
let blocked = 0;
function pump() {
  const now = performance.now();
  for (let at = begin + (asked * 1000) / rate; at <= now && asked < seconds * rate; asked++) {
    ask(at, '/');
    at = begin + ((asked + 1) * 1000) / rate;
  }
  if (blockEveryMs > 0 && begin + blocked * blockEveryMs <= now && blocked * blockEveryMs < seconds * 1000) {
    ask(now, '/block');
    blocked += 1;
  }
  if (asked < seconds * rate || open > 0) setTimeout(pump, 1);
  else console.log(JSON.stringify({ latencies, byPid, errors }));
}
pump();
