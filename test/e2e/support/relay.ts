/** A network between client and server: passes on every byte, later. */
import { once } from 'node:events';
import net from 'node:net';
import type { Test } from 'tap';

/** One client's connection to the server. */
export interface Passage {
  /** The port by which the server knows it; 0 until it is connected. */
  readonly peerPort: number;
}

export interface RelayOptions {
  /** Called for all that clients send, when the relay gets it. */
  readonly onSent?: (chunk: Buffer, passage: Passage) => void;
}

/**
 * Listens on a port of its own and passes every connection on to `port`, in both directions, in order: data, ends and
 * resets. Ends with the test.
 *
 * @param roundTripMs what it adds to a round trip: half of it in each direction
 * @returns the port to connect to
 */
export async function relay(t: Test, port: number, roundTripMs: number, options: RelayOptions = {}): Promise<number> {
  const open = new Set<net.Socket>();
  const server = net.createServer({ allowHalfOpen: true }, (client) => {
    const upstream = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const passage = { peerPort: 0 };
    upstream.on('connect', () => {
      passage.peerPort = upstream.localPort ?? 0;
    });
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
      open.add(socket);
      socket.on('close', () => open.delete(socket));
    }
    if (options.onSent) client.on('data', (chunk) => options.onSent?.(chunk, passage));
    pass(client, upstream, roundTripMs / 2);
    pass(upstream, client, roundTripMs / 2);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(async () => {
    for (const socket of open) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return (server.address() as net.AddressInfo).port;
}

/** All that happens to `from` happens to `to`, so much later. Equal timers fire in the order in which they were set. */
function pass(from: net.Socket, to: net.Socket, delayMs: number): void {
  const later = (happen: () => void) => {
    if (delayMs === 0) happen();
    else setTimeout(happen, delayMs);
  };
  from.on('data', (chunk) => {
    later(() => {
      if (to.destroyed || to.write(chunk)) return;
      from.pause();
      to.once('drain', () => from.resume());
    });
  });
  from.on('end', () => later(() => to.end()));
  from.on('error', () => later(() => to.resetAndDestroy()));
}
