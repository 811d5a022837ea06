/**
 * Clients that each open a connection as soon as they have the answer over the last one. Every so many requests blocks its
 * worker; the latencies of the others count. node closed-client.js PORT SECONDS CLIENTS BLOCK_MS BLOCK_EVERY (0: none)
 */
import { ask } from './one-connection.js';

const [port, seconds, clients, blockMs, blockEvery] = process.argv.slice(2).map(Number);
const latencies = [];
const byPid = {};
const errors = {};
let asked = 0;
let ended = 0;
let running = true;

function client() {
  if (!running) {
    ended += 1;
    if (ended === clients) console.log(JSON.stringify({ latencies, byPid, errors, requests, seconds: elapsed }));
    return;
  }
  asked += 1;
  const blocks = blockEvery > 0 && asked % blockEvery === 0;
  const at = performance.now();
  ask(port, blocks ? blockMs : 0, (kind, pid) => {
    if (kind !== null) errors[kind] = (errors[kind] ?? 0) + 1;
    else {
      if (!blocks) latencies.push(performance.now() - at);
      byPid[pid] = (byPid[pid] ?? 0) + 1;
    }
    // Not at once: where nobody listens it would never end.
    setImmediate(client);
  });
}

let elapsed = 0;
let requests = 0;
const begin = performance.now();
for (let i = 0; i < clients; i++) client();
setTimeout(() => {
  running = false;
  elapsed = (performance.now() - begin) / 1000;
  requests = Object.values(byPid).reduce((sum, count) => sum + count, 0);
}, seconds * 1000);
