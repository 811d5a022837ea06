/**
 * New connections at a fixed rate, whatever becomes of those before; each latency counts from the moment that was
 * planned, so that nothing is hidden. Beside them a request that blocks its worker, now and then, whose own latency
 * does not count. node tail-client.js PORT SECONDS RATE BLOCK_MS BLOCK_EVERY_MS (0: none)
 */
import { ask } from './one-connection.js';

const [port, seconds, rate, blockMs, blockEveryMs] = process.argv.slice(2).map(Number);
const latencies = [];
const byPid = {};
const errors = {};
let open = 0;

function send(plannedAt, ms) {
  open += 1;
  ask(port, ms, (kind, pid) => {
    open -= 1;
    if (kind !== null) {
      errors[kind] = (errors[kind] ?? 0) + 1;
      return;
    }
    if (ms === 0) latencies.push(performance.now() - plannedAt);
    byPid[pid] = (byPid[pid] ?? 0) + 1;
  });
}

const begin = performance.now() + 100;
let asked = 0;
let blocked = 0;
function pump() {
  const now = performance.now();
  while (asked < seconds * rate && begin + (asked * 1000) / rate <= now) {
    send(begin + (asked * 1000) / rate, 0);
    asked += 1;
  }
  while (blockEveryMs > 0 && blocked * blockEveryMs < seconds * 1000 && begin + blocked * blockEveryMs <= now) {
    send(now, blockMs);
    blocked += 1;
  }
  if (asked < seconds * rate || open > 0) setTimeout(pump, 1);
  else console.log(JSON.stringify({ latencies, byPid, errors }));
}
pump();
