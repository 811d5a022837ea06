/**
 * One worker, and one client that empties the caches of the processor before each request: as among many workers on few processors,
 * of which each finds nothing of its own there any more. What a worker does more of is seen far better than among them; but as it is
 * alone it looks at its event loop every 50 ms and is asked each second, as those are not.
 *
 * node cold-lane.js ROUNDS, on one processor (taskset). Writes a line for each round: processor time of the worker for each request,
 * observed (an admin address, scraped each second, page open) to not.
 */
import { once } from 'node:events';
import net from 'node:net';
import { end } from './launch.js';
import { assertObserving, startObserved, startObserver } from './observed.js';
import { cpuMs } from './supervisor.js';

const WARM_UP = 8_000;
const REQUESTS = 12_000;
const PATIENCE_MS = 5_000;
/** Three times what a processor keeps for itself: with half as much the shares come out twice as large as among 64 workers. */
const WASTE_BYTES = 6 * 1024 * 1024;
const LINE_BYTES = 64;
/** `end` with a body is told with its length: no chunks. */
const END_OF_ANSWER = '\r\n\r\nok';
const REQUEST = 'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n';

const waste = new Float64Array(WASTE_BYTES / Float64Array.BYTES_PER_ELEMENT).fill(1);

const rounds = Number(process.argv[2]);
for (let round = 0; round < rounds; round++) {
  const order = Math.random() < 0.5 ? [true, false] : [false, true];
  const [first, second] = [await sample(order[0]), await sample(order[1])];
  console.log(order[0] ? first / second : second / first);
}

/** @returns processor time of the worker for each request, in ms */
async function sample(isObserved) {
  const { supervisor, admin } = await startObserved(1, isObserved, { KEEP_ALIVE_MS: '0' });
  let observer = null;
  let socket;
  try {
    const [{ pid }] = (await supervisor.status()).workers;
    if (isObserved) observer = startObserver(admin);
    socket = net.connect(supervisor.port, '127.0.0.1');
    socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error(`no answer in ${PATIENCE_MS} ms`)));
    await ask(socket, WARM_UP);
    const before = cpuMs(pid);
    await ask(socket, REQUESTS);
    const spentMs = cpuMs(pid) - before;
    if (observer !== null) assertObserving(observer);
    return spentMs / REQUESTS;
  } finally {
    socket?.destroy();
    if (observer !== null) await end(observer);
    await supervisor.stop();
  }
}

/** One after the other. @throws where the connection ends before all are answered */
async function ask(socket, requests) {
  let left = requests;
  let received = '';
  const next = () => {
    emptyCaches();
    socket.write(REQUEST);
  };
  const listening = new AbortController();
  const { signal } = listening;
  const lost = once(socket, 'close', { signal }).then(() => {
    throw new Error(`the connection has ended before ${left} of ${requests} requests were answered`);
  });
  const answered = new Promise((resolve) => {
    socket.removeAllListeners('data').on('data', (data) => {
      received += data.toString('latin1');
      if (!received.endsWith(END_OF_ANSWER)) return;
      received = '';
      left -= 1;
      if (left === 0) resolve();
      else next();
    });
  });
  next();
  try {
    await Promise.race([answered, lost]);
  } finally {
    listening.abort();
    lost.catch(() => {});
  }
}

function emptyCaches() {
  for (let at = 0; at < waste.length; at += LINE_BYTES / Float64Array.BYTES_PER_ELEMENT) waste[at] += 1;
}
