import { connect, type Socket, type TcpNetConnectOpts } from 'node:net';

/**
 * A connection that is ended when the signal is aborted. Node's own `signal` option leaves a listener with the signal for each
 * connection that there has ever been, and warns of the eleventh.
 */
export function connectUntil(signal: AbortSignal, options: TcpNetConnectOpts): Socket {
  const socket = connect(options);
  const end = () => socket.destroy(signal.reason as Error);
  signal.addEventListener('abort', end, { once: true });
  socket.on('close', () => signal.removeEventListener('abort', end));
  if (signal.aborted) end();
  return socket;
}
