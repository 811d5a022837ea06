/**
 * Tries the hand-over of a connection on this machine, between two servers of one process; run by the doctor as a process of its
 * own, which gets both ends of a channel and answers with `{ failure }`, null for none.
 */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { UsualProperties } from './connections/movable.js';
import { Receiver } from './handover/receiver.js';
import { Sender } from './handover/sender.js';
import { tryOut } from './node/http.js';
import type { PipeHandle } from './node/pipe.js';

const ADDRESS = 'trial';
const speak = () => void process.send?.({ linked: true });

function serve(name: string): http.Server {
  return http.createServer((_request, response) => response.end(name)).listen(0, '127.0.0.1');
}

function ask(agent: http.Agent, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = http.get({ agent, port, host: '127.0.0.1' }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve(text));
    });
    request.on('error', reject);
  });
}

async function tryHandOver(given: PipeHandle, taken: PipeHandle): Promise<string | null> {
  const lack = tryOut();
  if (lack !== null) return `this version of Node is not known: ${lack}`;
  const [old, fresh] = [serve('old'), serve('new')];
  const usual = new UsualProperties();
  usual.watch(old);
  old.prependListener('connection', (socket) => usual.accepted(socket));
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const sockets: Parameters<Sender['again']>[0][] = [];
  old.on('connection', (socket) => sockets.push(socket));
  await Promise.all([old, fresh].map((server) => new Promise((resolve) => server.once('listening', resolve))));
  const { port } = old.address() as AddressInfo;
  await ask(agent, port);
  const receiver = new Receiver({
    serverAt: () => fresh,
    isLeaving: () => false,
    onTaken: () => {},
    onState: () => {},
    speak,
  });
  const sender = new Sender({
    addressOf: () => ADDRESS,
    usual: (server) => usual.of(server),
    stateOf: () => undefined,
    onRecipientLost: () => {},
    speak,
  });
  if (!receiver.open(1, taken, [ADDRESS], true) || !sender.recipients.open(1, given, [ADDRESS])) {
    return "this version of Node is not known: the class of Node's write requests";
  }
  sender.begin(sockets);
  while (sender.counts.handed === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const answer = await ask(agent, port);
  return answer === 'new' ? null : `the next request was answered by the ${answer} server`;
}

let first: PipeHandle | undefined;
process.on('message', (_message, handle) => {
  const end = handle as unknown as PipeHandle;
  if (first === undefined) {
    first = end;
    return;
  }
  void tryHandOver(first, end)
    .catch((error: unknown) => (error instanceof Error ? error.message : String(error)))
    .then((failure) => process.send?.({ failure }, () => process.exit()));
});
