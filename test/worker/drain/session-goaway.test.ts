/** Sessions of real servers and clients of HTTP/2, and clients that speak frames by hand. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http2, { type ClientHttp2Session, type ServerHttp2Session } from 'node:http2';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { leaveSession } from '../../../dist/worker/drain/session-goaway.js';
import { FRAME_TYPES } from '../../e2e/support/frames.js';
import { ANY_STREAM, frame, pair, serve, settled } from '../support/raw-session.js';

const FUZZ_MS = 4_000;
/** Longer than nothing has to have been written when a stream begins. */
const LONG_QUIET_MS = 30;

function certificate(t: Test) {
  const dir = t.testdir();
  const [key, cert] = [path.join(dir, 'key.pem'), path.join(dir, 'cert.pem')];
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  execFileSync('openssl', [...args, '-subj', '/CN=localhost', '-keyout', key, '-out', cert], { stdio: 'ignore' });
  return { key: readFileSync(key), cert: readFileSync(cert) };
}

t.test('what is sent after the first GOAWAY and before the answer to the PING is answered', async (t) => {
  const { client, session } = await pair(t);
  await client.settle();
  await settled(session);
  leaveSession(session, 60_000);
  await pause(LONG_QUIET_MS);
  client.get(1);
  t.same(await client.goaways(1), [ANY_STREAM]);
  client.get(3);
  client.get(5);
  await client.answerPing();
  t.same(await client.goaways(2), [ANY_STREAM, 5]);
  await client.closed;
  t.same(
    (await client.of(FRAME_TYPES.headers, 3)).map(({ stream }) => stream),
    [1, 3, 5],
  );
  t.equal(session.listenerCount('stream'), 1, 'the application finds its listeners as they were');
});

t.test('the first GOAWAY goes ahead of the answer to the stream that began', async (t) => {
  const { client, session } = await pair(t);
  await client.settle();
  await settled(session);
  leaveSession(session, 60_000);
  await pause(LONG_QUIET_MS);
  client.get(1);
  await client.of(FRAME_TYPES.headers, 1);
  const types = client.received.map(({ type }) => type);
  t.ok(types.indexOf(FRAME_TYPES.goaway) < types.indexOf(FRAME_TYPES.headers), String(types));
});

t.test('one whose client never answers the PING is left when patience ends', async (t) => {
  const { client, session } = await pair(t);
  await client.settle();
  await settled(session);
  leaveSession(session, 200);
  await client.closed;
  t.same(await client.goaways(2), [ANY_STREAM, 0]);
});

t.test('a session that has not acknowledged SETTINGS, nor begun, gets one GOAWAY, after them', async (t) => {
  const { client, session } = await pair(t);
  leaveSession(session, 100);
  await client.closed;
  t.same(await client.goaways(1), [0]);
  t.equal(client.received[0]?.type, FRAME_TYPES.settings);
});

t.test('an idle session is left as soon as its client has answered the PING', async (t) => {
  const { client, session } = await pair(t);
  await client.settle();
  await settled(session);
  leaveSession(session, 400);
  await client.answerPing();
  t.same(await client.goaways(2), [ANY_STREAM, 0]);
  await client.closed;
});

t.test('one that has ended by then is left alone', async (t) => {
  const { client, session } = await pair(t);
  await client.settle();
  await settled(session);
  const closed = once(session, 'close');
  leaveSession(session, 100);
  client.socket.resetAndDestroy();
  await closed;
  leaveSession(session, 0);
  const { session: other, client: otherClient } = await pair(t);
  leaveSession(other, 50);
  other.close();
  t.same(await otherClient.goaways(1), [0]);
  await otherClient.closed;
});

t.test('nothing is written while something is queued, and then the session is left with one GOAWAY', async (t) => {
  // More than the kernel takes of a connection that nobody reads: up to 4 MiB where the sender's buffer grows (net.ipv4.tcp_wmem).
  const big = Buffer.alloc(8 * 1024 * 1024, 'x');
  const { client, session, server } = await pair(t, (stream) => {
    stream.on('error', () => {});
    stream.end(big);
  });
  await client.settle();
  await settled(session);
  // A window for all of it, of the stream and of the connection; and nobody reads.
  const window = Buffer.alloc(4);
  window.writeUInt32BE(big.length);
  const initialWindow = Buffer.alloc(6);
  initialWindow.writeUInt16BE(4);
  initialWindow.writeUInt32BE(big.length, 2);
  client.socket.write(
    Buffer.concat([frame(FRAME_TYPES.settings, 0, 0, initialWindow), frame(FRAME_TYPES.windowUpdate, 0, 0, window)]),
  );
  client.socket.pause();
  const begun = once(server, 'stream');
  client.get(1);
  await begun;
  const { socket } = session;
  while ((socket as unknown as { _handle: { writeQueueSize: number } })._handle.writeQueueSize === 0) await pause(1);
  leaveSession(session, 100);
  while (!session.closed) await pause(1);
  client.socket.resume();
  t.same(await client.goaways(1), [1]);
  await client.closed;
  const data = client.received.filter(({ type }) => type === FRAME_TYPES.data);
  t.equal(
    data.reduce((sum, { payload }) => sum + payload.length, 0),
    big.length,
    'and its stream ends whole',
  );
});

t.test('over TLS there is one GOAWAY, right after a stream has begun', async (t) => {
  const server = http2.createSecureServer(certificate(t));
  server.on('stream', (stream) => stream.end('ok'));
  const began = once(server, 'session') as Promise<[ServerHttp2Session]>;
  const client = http2.connect(`https://127.0.0.1:${await serve(t, server)}`, { rejectUnauthorized: false });
  t.teardown(() => client.destroy());
  const [session] = await began;
  await settled(session);
  const named: number[] = [];
  client.on('goaway', (_code, last) => named.push(last));
  leaveSession(session, 60_000);
  const closed = once(client, 'close');
  // Both come in one piece.
  const answers = [text(client.request()), text(client.request())];
  t.same(await Promise.all(answers), ['ok', 'ok']);
  await closed;
  t.same(named, [3]);
});

t.test('the frames of a session that is left at any moment are those of the protocol', async (t) => {
  const { errors, streams, notices, left } = await fuzz(t, FUZZ_MS);
  t.same(errors, {}, `${streams} streams, ${left} sessions left, ${notices} of them in two steps`);
  t.ok(notices >= 20 && notices <= left && streams >= 100, `${streams} streams, ${notices} notices`);
});

/**
 * Clients of all kinds over sessions that are left and begun anew: answers up to 2 MB, slow readers, headers that need
 * CONTINUATION frames, SETTINGS in between. A frame in the middle of another one ends the session of the client
 * with an error of the protocol.
 */
async function fuzz(t: Test, forMs: number) {
  const errors: Record<string, number> = {};
  const figures = { errors, streams: 0, notices: 0, left: 0 };
  const fail = (error: NodeJS.ErrnoException) => {
    errors[error.message] = (errors[error.message] ?? 0) + 1;
  };
  const server = http2.createServer({ maxSendHeaderBlockLength: 200_000, maxSessionMemory: 1_000 });
  const random = (below: number) => Math.floor(Math.random() * below);
  server.on('sessionError', fail);
  server.on('session', (session) => {
    setTimeout(() => {
      figures.left += 1;
      leaveSession(session, 200 + random(600));
    }, 5 + random(300));
    if (random(2) === 0)
      setTimeout(() => session.destroyed || session.settings({ maxConcurrentStreams: 50 }), random(200));
  });
  server.on('stream', (stream) => {
    stream.on('error', fail);
    const headers = random(3) === 0 ? { 'x-big': 'h'.repeat(17_000 + random(33_000)) } : {};
    setTimeout(() => {
      if (stream.destroyed) return;
      stream.respond({ ':status': 200, ...headers });
      stream.end(Buffer.alloc(random(4) === 0 ? random(2_000_000) : random(5_000)));
    }, random(10));
  });
  const port = await serve(t, server);
  const beganAt = performance.now();
  // A busy machine takes longer for as much.
  const isOver = () => {
    const lasted = performance.now() - beganAt;
    return lasted >= 8 * forMs || (lasted >= forMs && figures.notices >= 20 && figures.streams >= 100);
  };
  const converse = async () => {
    while (!isOver()) {
      const session = http2.connect(`http://127.0.0.1:${port}`, {
        maxHeaderListPairs: 100,
        maxSessionMemory: 1_000,
        settings: { maxHeaderListSize: 1_000_000, initialWindowSize: random(2) === 0 ? 65_535 : 4_000_000 },
      });
      session.on('error', fail);
      session.on('goaway', (code, last) => {
        if (code !== 0) fail(new Error(`GOAWAY with code ${code}`));
        if (last === ANY_STREAM) figures.notices += 1;
      });
      const open: Promise<unknown>[] = [];
      while (!session.closed && !session.destroyed && !isOver()) {
        open.push(ask(session, random));
        figures.streams += 1;
        await pause(random(12));
      }
      await Promise.all(open);
      session.close();
      if (!session.destroyed) await once(session, 'close');
    }
  };
  const ask = async (session: ClientHttp2Session, random: (below: number) => number) => {
    const stream = session.request({ ':path': '/' });
    let unsent = false;
    stream.on('frameError', () => {
      unsent = true;
    });
    stream.on('error', (error) => {
      // Refusing is no fault in the frames: short patience, and limits that change.
      if (!unsent && stream.rstCode !== http2.constants.NGHTTP2_REFUSED_STREAM) fail(error);
    });
    stream.on('data', () => {
      if (random(20) > 0) return;
      stream.pause();
      setTimeout(() => stream.resume(), random(30));
    });
    await new Promise((resolve) => stream.on('close', resolve));
  };
  await Promise.all(Array.from({ length: 12 }, converse));
  return figures;
}
