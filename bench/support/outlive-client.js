// Clients of bench/outlive.js: new connections, keep-alive POSTs that nobody sends again, echoes behind an upgrade, keep-alive over TLS.
// Says `open` once all have been answered, and its counts when it is told to stop.
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';

const [port, tlsPort, fresh, kept, echoes, secure] = process.argv.slice(2).map(Number);
const TIMEOUT_MS = 10_000;
const THINK_MS = 30;
const counts = { fresh: 0, kept: 0, echoes: 0, secure: 0, connects: 0, errors: {} };
let stopped = false;

function failed(kind, error) {
  if (stopped) return;
  const name = `${kind} ${error.code ?? error.message}`;
  counts.errors[name] = (counts.errors[name] ?? 0) + 1;
}

function ask(module, options) {
  return new Promise((resolve, reject) => {
    const request = module.request({ host: '127.0.0.1', timeout: TIMEOUT_MS, ...options }, (response) => {
      response.resume().once('end', resolve).once('error', reject);
    });
    request.once('timeout', () => request.destroy(Object.assign(new Error('no answer'), { code: 'TIMEOUT' })));
    request.once('error', reject);
    request.end(options.method === 'POST' ? 'x' : undefined);
  });
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function again(kind, turn, thinkMs) {
  while (!stopped) {
    await turn().then(
      () => {
        counts[kind] += 1;
      },
      (error) => failed(kind, error),
    );
    if (thinkMs > 0) await pause(Math.random() * thinkMs);
  }
}

/** Keeps one connection. */
function keepAlive(kind, module, at) {
  const agent = new module.Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false });
  const { createConnection } = agent;
  agent.createConnection = (...given) => {
    counts.connects += 1;
    return createConnection.apply(agent, given);
  };
  return again(kind, () => ask(module, { port: at, agent, method: 'POST' }), THINK_MS);
}

async function echo() {
  while (!stopped) {
    await new Promise((resolve) => {
      counts.connects += 1;
      const socket = net.connect(port, '127.0.0.1');
      socket.once('error', (error) => failed('echoes', error));
      socket.once('close', () => {
        failed('echoes', { code: 'closed' });
        resolve();
      });
      socket.on('data', () => {
        counts.echoes += 1;
        setTimeout(() => (stopped ? socket.destroy() : socket.write('ping')), THINK_MS);
      });
      socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
    });
  }
}

const all = [];
const times = (count, begin) => {
  for (let i = 0; i < count; i++) all.push(begin());
};
times(fresh, () => again('fresh', () => ask(http, { port, agent: false, method: 'GET' }), 0));
times(kept, () => keepAlive('kept', http, port));
times(echoes, echo);
times(secure, () => keepAlive('secure', https, tlsPort));
const isOpen = () => counts.fresh >= fresh && counts.kept >= kept && counts.echoes >= echoes && counts.secure >= secure;
while (!isOpen()) await pause(20);
process.stdout.write('open\n');
process.stdin.once('data', () => {
  stopped = true;
  setTimeout(() => {
    process.stdout.write(`${JSON.stringify(counts)}\n`, () => process.exit(0));
  }, 500);
});
