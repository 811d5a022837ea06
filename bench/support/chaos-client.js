/**
 * The load of the chaos run, in a process of its own. Nothing is sent a second time; every error is told as a line of JSON, with
 * what is needed to find out which worker had the connection. A line on standard input ends it, with the totals as its last line.
 *
 * node chaos-client.js PORT FRESH KEPT SEED: FRESH clients open a connection for each request, KEPT ones POST over one, with a
 * pause of 0.3 to 3 s after each answer.
 */
import net from 'node:net';
import { monotonicMs, randomFrom } from './chaos-random.js';

const [port, fresh, kept, seed] = process.argv.slice(2).map(Number);
const random = randomFrom(seed);
const PATIENCE_MS = 60_000;
const FRESH_PAUSE_MS = [50, 600];
const KEPT_PAUSE_MS = [300, 3_000];
const STEP_MS = 100;

const totals = { answers: 0, connects: 0, endedIdle: 0, errors: 0, slowestMs: 0, workers: 0 };
const pids = new Set();
let running = true;
let under = 0;

const between = ([least, most]) => least + random() * (most - least);
// Some requests take a while, so that there is always something under way.
const waitMs = () => (random() < 0.15 ? Math.round(between([20, 600])) : 0);

/** One connection, from its start to its end; resolves when it is over. */
function converse(keeps) {
  return new Promise((resolve) => {
    totals.connects += 1;
    const connectedAt = monotonicMs();
    const socket = net.connect(port, '127.0.0.1').setNoDelay(true);
    let localPort;
    let asked = 0;
    let answers = 0;
    let lastPid = null;
    let data = '';
    let sentAt = connectedAt;
    // Until there is a connection, that is what is waited for.
    let waits = true;
    let isLast = false;
    let patience = setTimeout(() => fail('no answer'), PATIENCE_MS);
    under += 1;

    const fail = (kind) => {
      if (!waits) return;
      settle();
      totals.errors += 1;
      const failedAt = monotonicMs();
      console.log(JSON.stringify({ kind, keeps, asked, lastPid, localPort, connectedAt, sentAt, failedAt }));
      socket.destroy();
    };
    const settle = () => {
      waits = false;
      under -= 1;
      clearTimeout(patience);
    };
    const ask = () => {
      if (socket.destroyed) return;
      if (!running) {
        // Told to stop while it connected: nothing has been asked, and so nothing is lost.
        if (waits) settle();
        return socket.destroy();
      }
      if (!waits) {
        waits = true;
        under += 1;
        patience = setTimeout(() => fail('no answer'), PATIENCE_MS);
      }
      asked += 1;
      sentAt = monotonicMs();
      const body = keeps ? `hello ${asked}` : '';
      const head = keeps ? `POST / HTTP/1.1\r\nContent-Length: ${body.length}` : 'GET / HTTP/1.1\r\nConnection: close';
      socket.write(`${head}\r\nHost: x\r\nX-Wait: ${waitMs()}\r\n\r\n${body}`);
    };
    const answered = (text) => {
      if (!text.startsWith('HTTP/1.1 200 ')) return fail(text.slice(0, 20));
      lastPid = Number(text.slice(text.indexOf('\r\n\r\n') + 4));
      if (!(lastPid > 0)) return fail('wrong answer');
      settle();
      pids.add(lastPid);
      totals.answers += 1;
      answers += 1;
      totals.slowestMs = Math.max(totals.slowestMs, monotonicMs() - sentAt);
      isLast = !keeps || /^connection: close/im.test(text);
      if (!isLast) setTimeout(ask, between(KEPT_PAUSE_MS));
    };

    socket.once('connect', () => {
      ({ localPort } = socket);
      ask();
    });
    socket.on('data', (chunk) => {
      data += chunk.toString('latin1');
      const end = data.indexOf('\r\n\r\n') + 4;
      const length = Number(/^content-length: (\d+)/im.exec(data)?.[1]);
      if (end < 4 || data.length < end + length) return;
      const text = data;
      data = '';
      if (waits) answered(text);
    });
    socket.on('error', ({ code, message }) => fail(code ?? message));
    socket.on('end', () => {
      fail('hang-up');
      socket.end();
    });
    socket.on('close', () => {
      fail('closed');
      if (answers > 0 && !isLast && running) totals.endedIdle += 1;
      resolve();
    });
  });
}

async function client(keeps) {
  while (running) {
    await new Promise((resolve) => setTimeout(resolve, between(keeps ? KEPT_PAUSE_MS : FRESH_PAUSE_MS)));
    if (running) await converse(keeps);
  }
}

for (let i = 0; i < fresh; i++) void client(false);
for (let i = 0; i < kept; i++) void client(true);

process.stdin.once('data', async () => {
  running = false;
  // What has been asked is waited for: it is to be answered, too.
  while (under > 0) await new Promise((resolve) => setTimeout(resolve, STEP_MS));
  console.log(JSON.stringify({ totals: { ...totals, workers: pids.size } }));
  process.exit();
});
// The run has gone.
process.stdin.once('end', () => process.exit(1));
