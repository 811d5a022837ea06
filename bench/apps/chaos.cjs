// The server of the chaos run: tells its PID, writes down each connection that it gets, and does what it should not when asked.
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const path = require('node:path');

const folder = process.env.CHAOS_DIR;
const ownPid = Buffer.from(String(process.pid));

// A bad release: all generations after the one that the file names.
if (Number(process.env.HOLDFAST_GENERATION) > Number(readIfThere('bad') ?? Number.POSITIVE_INFINITY)) {
  console.error('this release is a bad one');
  process.exit(7);
}

function readIfThere(file) {
  try {
    return fs.readFileSync(path.join(folder, file), 'utf8');
  } catch {
    return undefined;
  }
}

const WAYS = {
  '/message': (body) => process.send(JSON.parse(body)),
  '/raw': (body) => fs.writeSync(process.channel.fd, body),
  '/handle': () => process.send({ take: 'this' }, net.createServer().listen({ port: 0, exclusive: true })),
  '/flood': () => {
    const bytes = Buffer.from('{"cmd":"NODE_CLUSTER","act":"online"}\n'.repeat(1_000));
    let at = 0;
    const send = () => {
      try {
        at = (at + fs.writeSync(process.channel.fd, bytes, at)) % bytes.length;
      } catch ({ code }) {
        // The channel is full, or has been closed.
        if (code !== 'EAGAIN') return;
      }
      setTimeout(send, 1);
    };
    send();
  },
  '/crash': () => {
    throw new Error('crashed as asked');
  },
  '/block': (ms) => {
    const end = performance.now() + Number(ms);
    while (performance.now() < end);
  },
};

const server = http.createServer((request, response) => {
  const pieces = [];
  request.on('data', (piece) => pieces.push(piece));
  request.on('end', () => {
    const body = Buffer.concat(pieces).toString();
    const way = WAYS[request.url];
    const answer = () => response.end(ownPid, () => way?.(body));
    const waitMs = Number(request.headers['x-wait'] ?? 0);
    if (waitMs > 0) setTimeout(answer, waitMs);
    else answer();
  });
});

// At once, so that it is there when the process is killed: TIME PID PEER'S-PORT.
const notes = fs.openSync(path.join(folder, 'connections'), 'a');
server.on('connection', ({ remotePort }) => {
  fs.writeSync(notes, `${Number(process.hrtime.bigint()) / 1e6} ${process.pid} ${remotePort}\n`);
});

// Node ends a silent connection when it comes to its timer, without a look at what has arrived meanwhile: after a stop of the
// process longer than this the client's request would be lost by Node alone. None of the run's stops is.
server.keepAliveTimeout = 20_000;
server.listen(Number(process.env.PORT), '127.0.0.1');
process.once('SIGTERM', () => server.close(() => process.exit(0)));
