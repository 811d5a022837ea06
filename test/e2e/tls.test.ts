import { once } from 'node:events';
import { copyFileSync, mkdirSync, readFileSync, renameSync, symlinkSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import tls from 'node:tls';
import t, { type Test } from 'tap';
import { Client } from './support/clients/client.js';
import { apps, Holdfast, makeRuntimeDir } from './support/holdfast.js';
import { serversEnv } from './support/servers.js';

type Version = 'TLSv1.2' | 'TLSv1.3';
type Ports = Record<'https' | 'http2' | 'renewed' | 'chosen' | 'guarded', number> & { kept: boolean };
const versions: readonly Version[] = ['TLSv1.2', 'TLSv1.3'];

/** One request over a connection of its own. The session that the server gave can be used for the next one. */
async function visit(port: number, version: Version, session?: Buffer) {
  const socket = tls.connect({
    port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    minVersion: version,
    maxVersion: version,
    ...(session && { session }),
  });
  let given = session;
  socket.on('session', (next: Buffer) => {
    given = next;
  });
  await once(socket, 'secureConnect');
  const resumed = socket.isSessionReused();
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  const answer = await text(socket);
  return { resumed, session: given, slot: /slot (\d)/.exec(answer)?.[1] };
}

/** A server that asks for certificates may refuse the handshake, or end the connection after it: no answer either way. */
async function isAnswered(port: number, version: Version, session?: Buffer): Promise<boolean> {
  const outcome = await visit(port, version, session).catch(() => undefined);
  return outcome?.slot !== undefined;
}

const ANSWER_MS = 15_000;
/** Of four clients that ask as fast as they can, each takes a good part of a processor, and its worker another one. */
const THINK_MS = 20;

/** POSTs over one keep-alive connection; nothing is sent again. */
class KeepAlive extends Client {
  readonly #port: number;
  /** Its conversation lasts for as long as the test; each answer has the usual time. */
  protected override readonly limitMs = 200_000;

  constructor(port: number) {
    super('keep-alive over TLS');
    this.#port = port;
  }

  protected async converse(): Promise<void> {
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false });
    try {
      while (this.running) {
        const signal = AbortSignal.timeout(ANSWER_MS);
        const request = https.request({ host: '127.0.0.1', port: this.#port, method: 'POST', agent, signal });
        request.end('x'.repeat(512));
        const [response] = (await once(request, 'response')) as [IncomingMessage];
        if (!(await text(response)).endsWith(', 512 bytes')) throw new Error('body cut off');
        this.done += 1;
        await pause(THINK_MS);
      }
    } finally {
      agent.destroy();
    }
  }
}

/** The application behind a link, as a deployment has it. */
async function start(t: Test, mode: string) {
  const dir = makeRuntimeDir(t);
  for (const release of ['one', 'two']) {
    mkdirSync(path.join(dir, release));
    copyFileSync(path.join(apps, 'tls-servers.cjs'), path.join(dir, release, 'app.cjs'));
  }
  symlinkSync('one', path.join(dir, 'current'));
  const holdfast = new Holdfast(t, path.join(dir, 'current/app.cjs'), {
    args: ['-i', '2', '--surge', '100%', '--ready', 'message', '--listen-mode', mode],
    env: serversEnv(dir, 0),
  });
  await holdfast.message('started');
  const line = await holdfast.line(({ msg }) => msg.startsWith('PORTS '));
  const deploy = async (release: string) => {
    symlinkSync(release, path.join(dir, 'next'));
    renameSync(path.join(dir, 'next'), path.join(dir, 'current'));
    t.equal((await holdfast.reload()).code, 0);
  };
  return { holdfast, ports: JSON.parse(line.msg.slice(6)) as Ports, deploy };
}

for (const mode of ['reuseport', 'reuseaddr']) {
  t.test(`sessions are resumed by every worker and through reloads, in ${mode} mode`, async (t) => {
    const { holdfast, ports, deploy } = await start(t, mode);
    const load = new KeepAlive(ports.https).start(4);
    t.equal(ports.kept, true, 'keys that the application has chosen stay');
    const visitors: { name: string; port: number; version: Version; session: Buffer | undefined }[] = [];
    for (const name of ['https', 'http2', 'renewed', 'chosen'] as const) {
      for (const version of versions) {
        const port = ports[name];
        let { resumed, session } = await visit(port, version);
        t.equal(resumed, false);
        const slots = new Set<string | undefined>();
        while (slots.size < 2) {
          const next = await visit(port, version, session);
          t.equal(next.resumed, true, `${name}, ${version}, slot ${next.slot}`);
          slots.add(next.slot);
          session = next.session;
        }
        // With keys of its own, the application also has a context of its own: Node makes it of the path of the script.
        if (name !== 'chosen') visitors.push({ name, port, version, session });
      }
    }
    for (const release of ['two', 'one', 'two', 'one', 'two']) {
      await deploy(release);
      for (const visitor of visitors) {
        const { resumed, session } = await visit(visitor.port, visitor.version, visitor.session);
        t.equal(resumed, true, `${visitor.name}, ${visitor.version}, after a reload`);
        visitor.session = session;
      }
    }
    // However slow the machine is: so many that a loss would be seen.
    while (load.done <= 100 && Object.keys(load.errors).length === 0) await pause(10);
    await load.stop();
    t.same(load.errors, {}, 'keep-alive connections lose nothing');
    t.ok(load.done > 100, `${load.done} requests`);
    t.notMatch(JSON.stringify([holdfast.log, await holdfast.status()]), /ticketKey/, 'the key is nowhere to be read');
  });
}

t.test('a session of one server does not open another one that asks for certificates', async (t) => {
  const { ports } = await start(t, 'auto');
  for (const version of versions) {
    const { session } = await visit(ports.https, version);
    t.equal((await visit(ports.https, version, session)).resumed, true, 'it is a session that can be resumed');
    t.equal(await isAnswered(ports.https, version, session), true);
    // Both workers are asked, whoever the kernel chooses.
    for (let i = 0; i < 8; i++) t.equal(await isAnswered(ports.guarded, version, session), false, version);
  }
});

t.test('by itself a session is resumed by nobody else', async (t) => {
  const { TLS_KEY = '', TLS_CERT = '' } = serversEnv(t.testdir({}), 0);
  const listen = async () => {
    const options = { key: readFileSync(TLS_KEY), cert: readFileSync(TLS_CERT) };
    const server = https.createServer(options, (_request, response) => response.end('slot 0')).listen(0, '127.0.0.1');
    t.teardown(() => server.close());
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  };
  const [one, other] = [await listen(), await listen()];
  const { session } = await visit(one, 'TLSv1.3');
  t.equal((await visit(one, 'TLSv1.3', session)).resumed, true);
  t.equal((await visit(other, 'TLSv1.3', session)).resumed, false);
});
