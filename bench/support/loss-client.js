/**
 * Clients that see loss: nothing is sent a second time, every error is counted by its kind. Runs until its standard input
 * ends, which it also does when the benchmark is gone. node loss-client.js PORT FRESH KEPT
 *
 * FRESH clients open a connection for each request, KEPT ones POST over one connection, with a pause after each answer.
 */
import http from 'node:http';
import { errorKind } from './one-connection.js';

const [port, fresh, kept] = process.argv.slice(2).map(Number);
const PATIENCE_MS = 5_000;
const THINK_MS = 20;
const BODY = 'x'.repeat(512);
const seen = { fresh: empty(), kept: empty() };
let running = true;

function empty() {
  return { answered: 0, errors: {}, longestMs: 0 };
}

/** Resolves with null, or with the kind of error. */
function ask(agent, posts) {
  return new Promise((resolve) => {
    const method = posts ? 'POST' : 'GET';
    const request = http.request({ host: '127.0.0.1', port, agent, method });
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      request.destroy(new Error('timeout'));
    }, PATIENCE_MS);
    const settle = (kind) => {
      clearTimeout(timer);
      resolve(isLate ? 'timeout' : kind);
    };
    request.on('error', (error) => settle(errorKind(error)));
    request.on('response', (response) => {
      response.on('error', (error) => settle(errorKind(error)));
      response.on('end', () => settle(response.statusCode === 200 ? null : 'wrong status'));
      response.resume();
    });
    request.end(posts ? BODY : undefined);
  });
}

async function client(posts) {
  const agent = new http.Agent({ keepAlive: posts, maxSockets: 1 });
  const record = posts ? seen.kept : seen.fresh;
  while (running) {
    const begin = performance.now();
    const kind = await ask(agent, posts);
    if (kind === null) {
      record.answered += 1;
      record.longestMs = Math.max(record.longestMs, performance.now() - begin);
    } else record.errors[kind] = (record.errors[kind] ?? 0) + 1;
    if (posts) await new Promise((resolve) => setTimeout(resolve, THINK_MS));
  }
  agent.destroy();
}

const clients = [];
for (let i = 0; i < fresh; i++) clients.push(client(false));
for (let i = 0; i < kept; i++) clients.push(client(true));
process.stdin.on('end', async () => {
  running = false;
  await Promise.all(clients);
  console.log(JSON.stringify(seen));
});
process.stdin.resume();
