// COUNT keep-alive clients that POST every PAUSE_MS, never send anything again, and do not heed what `Keep-Alive` promises. Says
// "open" when all have had an answer; a line on standard input ends it: { answers, errors, connects }.
import net from 'node:net';

const [port, count, pauseMs] = process.argv.slice(2).map(Number);
const PATIENCE_MS = 20_000;
const errors = {};
let answers = 0;
let connects = 0;
let first = 0;
let running = true;

const fail = (kind) => {
  if (running) errors[kind] = (errors[kind] ?? 0) + 1;
};

function client(delayMs) {
  if (!running) return;
  setTimeout(() => {
    if (!running) return;
    connects += 1;
    const socket = net.connect(port, '127.0.0.1').setNoDelay(true);
    let waiting;
    let data = '';
    let isLast = false;
    let isFirst = true;
    const ask = () => {
      if (socket.destroyed || !running) return;
      waiting = setTimeout(() => {
        fail('timeout');
        socket.destroy();
      }, PATIENCE_MS);
      socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello');
    };
    socket.once('connect', ask);
    socket.on('data', (chunk) => {
      data += chunk.toString('latin1');
      if (!data.endsWith('\r\n\r\nok')) return;
      clearTimeout(waiting);
      waiting = undefined;
      answers += 1;
      if (isFirst) {
        isFirst = false;
        first += 1;
        if (first === count) console.log('open');
      }
      isLast = /^connection: close/im.test(data);
      data = '';
      if (!isLast) setTimeout(ask, pauseMs);
    });
    socket.on('error', (error) => fail(error.code === 'ECONNRESET' ? 'reset' : (error.code ?? error.message)));
    socket.on('end', () => socket.end());
    socket.on('close', (hadError) => {
      if (waiting !== undefined && !hadError) fail('hang-up');
      clearTimeout(waiting);
      client(pauseMs);
    });
  }, delayMs);
}

for (let i = 0; i < count; i++) client((pauseMs * i) / count);
process.stdin.once('data', () => {
  running = false;
  console.log(JSON.stringify({ answers, errors, connects }));
  process.exit();
});
