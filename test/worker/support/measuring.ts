/** A worker's measurements of servers in this process. */
import http from 'node:http';
import type { AddressInfo, Server } from 'node:net';
import type { Test } from 'tap';
import { Connections, serverKind } from '../../../dist/worker/connections/connections.js';
import { Figures } from '../../../dist/worker/connections/figures.js';
import { stampOf } from '../../../dist/worker/connections/stamp.js';
import { Measure } from '../../../dist/worker/measure.js';
import type { ServerSocket } from '../../../dist/worker/node/socket.js';

/** What is asked for once a second, and with a scrape. */
export const FIGURES = { kinds: false, application: false, known: 0 };
export const ALL = { kinds: true, application: true };

export async function listening(t: Test, server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

export function measuring(ours: readonly Server[], registries: () => Iterable<unknown> = () => []) {
  const figures = new Figures();
  figures.install();
  const isOurs = (server: Server) => ours.includes(server);
  const connections = new Connections(isOurs);
  connections.install();
  return new Measure({
    ...{ figures, connections },
    latency: () => figures.read().latency,
    // Each counts what it is given: of the others in this process the servers are not its own.
    stampOf: (socket, makes) =>
      isOurs((socket as ServerSocket).server as Server) ? stampOf(socket, makes) : undefined,
    kindOf: serverKind,
    countConnections: () => 3,
    countKinds: () => ({ http1: 3 }),
    registries,
  });
}

export const get = (port: number, agent: http.Agent | false, body = '') =>
  new Promise((resolve, reject) => {
    const request = http.request({ port, host: '127.0.0.1', method: 'POST', path: '/', agent }, (response) =>
      response.resume().on('end', resolve),
    );
    request.on('error', reject).end(body);
  });
