/** One request over a connection of its own, for load generators: costs little, hides nothing, is never sent again. */
import net from 'node:net';

const PATIENCE_MS = 5_000;
const OK = 'HTTP/1.1 200 ';

/**
 * @param blockMs for how long the worker is asked to block; 0 for an ordinary request
 * @param settled called once: with null and the PID that answered, or with the kind of error
 */
export function ask(port, blockMs, settled) {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
  let isOver = false;
  const settle = (kind, pid) => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    settled(kind, pid);
  };
  const timer = setTimeout(() => {
    settle('timeout');
    socket.destroy();
  }, PATIENCE_MS);
  const path = blockMs > 0 ? '/block' : '/';
  socket.on('connect', () =>
    socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nx-ms: ${blockMs}\r\n\r\n`),
  );
  socket.on('data', (chunk) => {
    // The answer is far smaller than a packet: one event is one answer.
    const answer = chunk.toString('latin1');
    if (answer.startsWith(OK)) settle(null, Number(/x-pid: (\d+)/i.exec(answer)?.[1]));
    else settle('wrong status');
  });
  socket.on('error', (error) => settle(errorKind(error)));
  socket.on('close', () => settle('hang-up'));
}

/** What happened, in the words of the tables. Node gives a hang-up and a reset the same code. */
export function errorKind(error) {
  if (error.code === 'ECONNREFUSED') return 'refused';
  if (error.message === 'socket hang up' || error.message === 'aborted') return 'hang-up';
  if (error.code === 'ECONNRESET' || error.code === 'EPIPE') return 'reset';
  return error.code ?? error.message;
}
