/**
 * Clients that see loss: nothing is sent a second time, every kind of error is counted by its name. Runs until its
 * standard input ends. node loss-client.js PORT FRESH KEEP_ALIVE
 */
import http from 'node:http';

const [port, fresh, keepAlive] = process.argv.slice(2).map(Number);
const PATIENCE_MS = 5_000;
const THINK_MS = 20;
const BODY = 'x'.repeat(512);
const errors = {};
let answered = 0;
let longestMs = 0;
let running = true;

function ask(agent, posts) {
  return new Promise((resolve, reject) => {
    const method = posts ? 'POST' : 'GET';
    const request = http.request({ host: '127.0.0.1', port, agent, method });
    const timer = setTimeout(() => request.destroy(new Error('timeout')), PATIENCE_MS);
    const fail = (error) => {
      clearTimeout(timer);
      reject(error);
    };
    request.on('error', fail);
    request.on('response', (response) => {
      response.on('error', fail);
      response.on('end', () => {
        clearTimeout(timer);
        if (response.statusCode === 200) resolve();
        else reject(new Error(`status ${response.statusCode}`));
      });
      response.resume();
    });
    request.end(posts ? BODY : undefined);
  });
}

async function client(posts) {
  const agent = new http.Agent({ keepAlive: posts, maxSockets: 1 });
  while (running) {
    const begin = performance.now();
    try {
      await ask(agent, posts);
      answered += 1;
      longestMs = Math.max(longestMs, performance.now() - begin);
    } catch (error) {
      const kind = error.code ?? error.message;
      errors[kind] = (errors[kind] ?? 0) + 1;
    }
    if (posts) await new Promise((resolve) => setTimeout(resolve, THINK_MS));
  }
  agent.destroy();
}

const clients = [];
for (let i = 0; i < fresh; i++) clients.push(client(false));
for (let i = 0; i < keepAlive; i++) clients.push(client(true));
process.stdin.on('end', async () => {
  running = false;
  await Promise.all(clients);
  console.log(JSON.stringify({ answered, errors, longestMs: Math.round(longestMs) }));
});
process.stdin.resume();
