import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { freePort } from '../support/ports.js';
import { GrpcCalls } from './support/clients/grpc.js';
import { FRAME_TYPES, FrameReader } from './support/frames.js';
import { apps, Holdfast, makeRuntimeDir } from './support/holdfast.js';
import { pack } from './support/packages.js';
import { type Passage, relay } from './support/relay.js';

const RELOADS = 20;
const packages = pack(t, ['@grpc/grpc-js']);
/**
 * A call that is asked for in the turn in which a GOAWAY is read is never sent: the client's library fails it by itself. So
 * they go with the reloads, not with the calls; with a reload every 3,000 calls this is one in a thousand.
 */
const MOST_UNSENT = 3 * RELOADS;
const SEQUENTIAL = [0, 0, 0, 20, 20, 20].map((roundTripMs) => ({ roundTripMs, atOnce: 1 }));
const CONCURRENT = [0, 20, 20].map((roundTripMs) => ({ roundTripMs, atOnce: 4 }));

/** What went over the wire to the server: how many streams were begun over each connection, by the port the server sees. */
class SentStreams {
  readonly #readers = new Map<Passage, { readonly frames: FrameReader; streams: number }>();

  readonly onSent = (chunk: Buffer, passage: Passage): void => {
    let reader = this.#readers.get(passage);
    if (reader === undefined) {
      reader = { frames: new FrameReader('client'), streams: 0 };
      this.#readers.set(passage, reader);
    }
    // These clients send no trailers: each HEADERS frame begins a stream.
    reader.streams += reader.frames.read(chunk).filter(({ type }) => type === FRAME_TYPES.headers).length;
  };

  get connections(): number {
    return this.#readers.size;
  }

  byPort(): Map<number, number> {
    const sent = new Map<number, number>();
    for (const [{ peerPort }, { streams }] of this.#readers) {
      sent.set(peerPort, (sent.get(peerPort) ?? 0) + streams);
    }
    return sent;
  }
}

/** What all workers were given, by the client's port. */
function seenCalls(dir: string): Map<number, string[]> {
  const seen = new Map<number, string[]>();
  for (const file of readdirSync(dir)) {
    const calls = JSON.parse(readFileSync(path.join(dir, file), 'utf8')) as Record<string, string[]>;
    for (const [port, ids] of Object.entries(calls))
      seen.set(Number(port), [...(seen.get(Number(port)) ?? []), ...ids]);
  }
  return seen;
}

async function reloadsUnderCalls(t: Test, mode: string): Promise<void> {
  const seenDir = path.join(makeRuntimeDir(t), 'seen');
  mkdirSync(seenDir);
  const port = await freePort();
  const holdfast = new Holdfast(t, path.join(apps, 'grpc.cjs'), {
    args: ['-i', '2', '--surge', '100%', '--listen-mode', mode, '--drain-timeout', '10s', '--spread', '400ms'],
    env: { ...(await packages), PORT: String(port), SEEN_DIR: seenDir },
  });
  await holdfast.message('started');
  const sent = new SentStreams();
  const behindRelays = (clients: typeof SEQUENTIAL) =>
    Promise.all(
      clients.map(async ({ roundTripMs, atOnce }) => ({ port: await relay(t, port, roundTripMs, sent), atOnce })),
    );
  const sequential = new GrpcCalls(t, await behindRelays(SEQUENTIAL));
  const concurrent = new GrpcCalls(t, await behindRelays(CONCURRENT));
  for (let i = 0; i < RELOADS; i++) {
    const { code, stderr } = await holdfast.reload();
    t.equal(code, 0, `reload ${stderr}`);
  }
  const [one, many] = await Promise.all([sequential.stop(), concurrent.stop()]);
  t.equal((await holdfast.stop()).code, 0, 'stopped, with what its last workers have seen');

  const seen = seenCalls(seenDir);
  const refused = [...sent.byPort()].filter(([port, streams]) => seen.get(port)?.length !== streams);
  t.same(refused, [], 'every stream that was sent was given to the application');
  const given = new Set([...seen.values()].flat());
  t.same(
    [...one.failed, ...many.failed].filter(({ id }) => given.has(id)),
    [],
    'every call that the application was given was answered',
  );
  const unsent = one.failed.length + many.failed.length;
  t.ok(
    unsent <= MOST_UNSENT,
    `${one.failed.length} of ${one.calls} calls one after the other, ${many.failed.length} of ${many.calls} side by side failed in the client, never sent`,
  );
  t.ok(
    sent.connections > RELOADS * (SEQUENTIAL.length + CONCURRENT.length) * 0.75,
    `the clients left ${sent.connections} times`,
  );
  t.same(holdfast.lines('drain timeout'), [], 'nobody had to be cut off');
}

// Forty reloads, and clients that take their share of the processors.
t.setTimeout(600_000);

t.test('gRPC without retries: no stream is refused in 20 reloads', async (t) => {
  // Side by side: most of the time is waiting.
  t.jobs = 2;
  await Promise.all(
    ['reuseport', 'reuseaddr'].map((mode) => t.test(mode, { buffered: true }, (t) => reloadsUnderCalls(t, mode))),
  );
});
