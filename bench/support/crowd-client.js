// Keeps COUNT connections open, each with a request every THINK_MS, until it is told to stop by a line on standard input.
// Who is told that a connection ends opens the next one; a request without an answer is an error, and never sent again.
import http from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

const [port, count, thinkMs] = process.argv.slice(2).map(Number);
const errors = {};
let answered = 0;
let connected = 0;
let running = true;

async function client() {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  let first = true;
  await pause(Math.random() * thinkMs);
  while (running) {
    const error = await ask(agent);
    if (error === null) {
      answered += 1;
      if (first) connected += 1;
      if (first && connected === count) console.log('open');
      first = false;
    } else errors[error] = (errors[error] ?? 0) + 1;
    await pause(thinkMs);
  }
  agent.destroy();
}

function ask(agent) {
  return new Promise((resolve) => {
    const request = http.get({ host: '127.0.0.1', port, agent }, (response) => {
      response.resume();
      response.once('end', () => resolve(null));
      response.once('error', (error) => resolve(error.code ?? error.message));
    });
    request.once('error', (error) => resolve(error.code ?? error.message));
  });
}

process.stdin.once('data', () => {
  running = false;
});
await Promise.all(Array.from({ length: count }, client));
process.stdin.destroy();
console.log(JSON.stringify({ answered, errors }));
