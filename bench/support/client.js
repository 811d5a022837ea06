/**
 * An HTTP client that costs little: the machine is shared with the servers that are measured.
 * Runs in a process of its own: node client.js PORT SECONDS CONNECTIONS keep-alive|one-each|short
 * `one-each` are kept connections, each to another worker, and no more than there are: it closes those to workers that have one already. How many of the workers
 * have how many would otherwise make more of a difference than what is compared.
 * With 0 seconds it goes on until its standard input ends, and tells its counts so far at each line of it.
 */
import net from 'node:net';

const [port, seconds, connections, kind] = process.argv.slice(2);
const oneEach = kind === 'one-each';
const keepAlive = oneEach || kind === 'keep-alive';
const request = Buffer.from(
  `GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: ${keepAlive ? 'keep-alive' : 'close'}\r\n\r\n`,
);
const TWO = '2'.charCodeAt(0);
const SERVER = /^x-pid: (\d+)/im;
/** Those that have a connection. */
const servers = new Set();
let requests = 0;
let errors = 0;
let running = true;

function client() {
  if (!running) return;
  const socket = net.connect({ host: '127.0.0.1', port: Number(port), noDelay: true });
  let isAnswered = false;
  let isKept = !oneEach;
  socket.on('connect', () => socket.write(request));
  socket.on('data', (chunk) => {
    // The answer is far smaller than a packet: one event is one answer. Its status begins at the tenth byte.
    isAnswered = chunk[9] === TWO;
    if (isAnswered) requests += 1;
    else if (keepAlive) errors += 1;
    if (!isKept) {
      const server = SERVER.exec(chunk.toString('latin1'))?.[1];
      if (servers.has(server)) return socket.destroy();
      servers.add(server);
      isKept = true;
    }
    if (keepAlive) socket.write(request);
  });
  // It closes as well, and is counted there.
  socket.on('error', () => {});
  socket.on('close', () => {
    // Nobody but the client has a reason to close a kept connection, or one without an answer.
    if ((keepAlive && isKept) || !isAnswered) errors += 1;
    client();
  });
}

const begin = performance.now();
for (let i = 0; i < Number(connections); i++) client();
const tell = () => console.log(JSON.stringify({ requests, errors, seconds: (performance.now() - begin) / 1000 }));
const finish = () => {
  running = false;
  tell();
  process.exit(0);
};
if (Number(seconds) > 0) setTimeout(finish, Number(seconds) * 1000);
else process.stdin.on('data', tell).once('end', finish);
