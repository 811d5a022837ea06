import type { ChildProcess } from 'node:child_process';
import cluster from 'node:cluster';
import { EventEmitter, once } from 'node:events';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import type { WorkerMessage } from '../../../../src/protocol/worker.js';
import { type ChannelListener, pipeOf, WorkerChannel } from '../../../../src/supervisor/workers/channel/channel.js';
import { readWorkerMessage } from '../../../../src/supervisor/workers/channel/messages.js';
import { anyCharacter } from '../../../support/characters.js';

const SPEAKER = fileURLToPath(new URL('../../../fixtures/raw-speaker.cjs', import.meta.url));
const END = '{"cmd":"NODE_HOLDFAST","type":"drained"}';

class Heard implements ChannelListener {
  readonly messages: WorkerMessage[] = [];
  readonly misconduct: string[] = [];
  readonly refused: number[] = [];
  ready = 0;
  slowed = 0;
  onEach: () => void = () => {};

  onMessage(message: WorkerMessage): void {
    this.messages.push(message);
    this.onEach();
  }
  onSaidReady(): void {
    this.ready += 1;
  }
  onMisconduct(reason: string): void {
    this.misconduct.push(reason);
    this.onEach();
  }
  onSlowed(): void {
    this.slowed += 1;
  }
  onDescriptorRefused(fd: number): void {
    this.refused.push(fd);
  }

  until(fits: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.onEach = () => {
        if (fits()) resolve();
      };
      this.onEach();
    });
  }
}

interface Speaker {
  readonly child: ChildProcess;
  readonly heard: Heard;
  say(...chunks: (string | Buffer)[]): void;
  /** What has been heard once all that was said before has been. @param before ends a line that may have been begun */
  end(before?: string): Promise<Heard>;
}

/** A real worker of node:cluster with its real channel, which says nothing of its own but that it is there. */
function speaker(t: Test, withPipe = true): Speaker {
  cluster.setupPrimary({ exec: SPEAKER, execArgv: [], stdio: ['pipe', 'inherit', 'inherit', 'ipc'] });
  const child = cluster.fork({ NODE_OPTIONS: '' }).process;
  const ended = once(child, 'exit');
  t.teardown(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const heard = new Heard();
  new WorkerChannel(child, heard, withPipe ? pipeOf(child) : null);
  const say = (...chunks: (string | Buffer)[]) => {
    for (const chunk of chunks) child.stdin?.write(`${Buffer.from(chunk).toString('base64')}\n`);
  };
  const end = async (before = '') => {
    say(`${before}${END}\n`);
    await heard.until(() => heard.messages.at(-1)?.type === 'drained');
    return heard;
  };
  return { child, heard, say, end };
}

/** Uncaught errors would end the supervisor: none may come up, whatever is said. */
function watchUncaught(t: Test): unknown[] {
  const uncaught: unknown[] = [];
  const note = (error: unknown) => uncaught.push(error);
  process.on('uncaughtException', note);
  t.teardown(() => process.removeListener('uncaughtException', note));
  return uncaught;
}

const names = [
  'listen',
  'bound',
  'closed',
  'drained',
  'leftover',
  'handedOver',
  'unlinked',
  'resigned',
  'health',
  'released',
  'stats',
  'socket',
  'toString',
];
const fields = {
  seq: fc.anything(),
  key: fc.oneof(fc.string(), fc.anything()),
  slot: fc.anything(),
  counts: fc.dictionary(fc.string(), fc.anything()),
  named: fc.array(fc.anything()),
  request: fc.oneof(fc.anything(), fc.record({ host: fc.string(), port: fc.integer(), family: fc.constant(4) })),
  ok: fc.anything(),
  detail: fc.string({ size: 'large' }),
};
const forgedOurs = fc
  .tuple(fc.constantFrom(...names), fc.record(fields, { requiredKeys: [] }))
  .map(([type, rest]) => ({ cmd: 'NODE_HOLDFAST', type, ...rest }));
const forgedNodes = fc.record(
  {
    cmd: fc.constantFrom('NODE_CLUSTER', 'NODE_HANDLE', 'NODE_HANDLE_ACK', 'NODE_HANDLE_NACK', 'NODE_ELSE'),
    act: fc.constantFrom('queryServer', 'close', 'online', 'listening', 'exitedAfterDisconnect', 'newconn', 'toString'),
    type: fc.constantFrom('net.Server', 'net.Socket', 'net.Native', 'dgram.Socket', 'dgram.Native', 'none'),
    msg: fc.anything(),
    ack: fc.oneof(fc.nat(20), fc.anything()),
    seq: fc.oneof(fc.nat(20), fc.anything()),
    index: fc.oneof(fc.nat(3), fc.anything()),
    // Nothing that could really be bound, or be one of this process's.
    address: fc.constantFrom(null, '', '192.0.2.1', 'a-name', '/nowhere/at/all.sock', 7),
    port: fc.oneof(fc.constantFrom(-1, 1, 65_536), fc.anything()),
    addressType: fc.constantFrom(-1, 4, 6, 'udp4', 'udp6', null, 'none'),
    fd: fc.constantFrom(-1, null, 'x'),
    key: fc.oneof(fc.constantFrom('/nowhere/at/all.sock:-1:-1:-1:0'), fc.anything()),
  },
  { requiredKeys: ['cmd'] },
);
const asJson = (value: unknown) => {
  try {
    return JSON.stringify(value) ?? 'null';
  } catch {
    return '{"cmd":"NODE_HOLDFAST"}';
  }
};
const line = fc.oneof(
  fc.anything().map(asJson),
  forgedOurs.map(asJson),
  forgedNodes.map(asJson),
  // Cut off somewhere.
  fc.tuple(forgedOurs.map(asJson), fc.nat(100)).map(([text, at]) => text.slice(0, at)),
  fc.string({ unit: anyCharacter }),
);
const bytes = fc.oneof(
  line.map((text) => Buffer.from(`${text}\n`)),
  line.map((text) => Buffer.from(text)),
  fc.uint8Array({ maxLength: 64 }).map((array) => Buffer.from(array)),
);

t.test('whatever comes over the channel, nothing is thrown, and what is right is heard', async (t) => {
  const uncaught = watchUncaught(t);
  const { say, end, heard } = speaker(t);
  await fc.assert(
    fc.asyncProperty(fc.array(bytes, { minLength: 1, maxLength: 12 }), async (chunks) => {
      heard.messages.length = 0;
      say(...chunks);
      await end('\n');
      // None has passed that would not be read again as it is.
      for (const message of heard.messages) readWorkerMessage(message);
      if (uncaught.length > 0) throw uncaught[0];
    }),
    { numRuns: 150, interruptAfterTimeLimit: 20_000 },
  );
  t.same(uncaught, []);
});

t.test('misconduct is told once, with the first of its reasons', async (t) => {
  const { say, end } = speaker(t);
  say('nonsense\n', '{"cmd":"NODE_HOLDFAST","type":"leftover"}\n', '"ready"\n');
  const heard = await end();
  t.match(heard.misconduct, [/^sent something other than a message of a worker: "nonsense" is not JSON$/]);
  t.equal(heard.ready, 1, 'what is right is heard all the same');
});

t.test('a message comes in pieces, and several come in one', async (t) => {
  const { say, end } = speaker(t);
  const health = '{"cmd":"NODE_HOLDFAST","type":"health","ok":true,"detail":"\u00e9\u{1f600}"}\n';
  for (const byte of Buffer.from(health)) say(Buffer.from([byte]));
  say(health + health);
  const { messages, misconduct } = await end();
  t.same(misconduct, []);
  t.same(
    messages.filter(({ type }) => type === 'health'),
    Array(3).fill({ cmd: 'NODE_HOLDFAST', type: 'health', ok: true, detail: '\u00e9\u{1f600}' }),
  );
});

t.test('a message without an end is not kept', async (t) => {
  const { say, end, heard } = speaker(t);
  const before = process.memoryUsage().rss;
  const piece = Buffer.alloc(512 * 1024, 'x');
  for (let i = 0; i < 40; i++) say(piece);
  await heard.until(() => heard.misconduct.length > 0);
  t.match(heard.misconduct, [/more than 8 MiB/]);
  t.ok(process.memoryUsage().rss - before < 200 * 1024 ** 2);
  await end('\n');
});

t.test('a handle of any kind is closed, and its sender has misbehaved', async (t) => {
  const { child, heard } = speaker(t);
  // What the pipe holds when a descriptor has come with the bytes.
  const pipe = pipeOf(child);
  let closed = 0;
  const close = () => {
    closed += 1;
  };
  if (pipe !== null) pipe.pendingHandle = { close };
  pipe?.onread(new Uint8Array(Buffer.from('{"cmd":"NODE_HANDLE","type":"net.Native","msg":1}\n')).buffer);
  t.equal(closed, 1);
  t.match(heard.misconduct, [/sent a handle that nobody asked for/]);
});

t.test('on a Node that keeps its pipe elsewhere, messages are checked all the same', async (t) => {
  const { say, heard } = speaker(t, false);
  say('"ready"\n{"cmd":"NODE_HOLDFAST","type":"bound","key":"x"}\n');
  await heard.until(() => heard.misconduct.length > 0);
  t.equal(heard.ready, 1);
  t.match(heard.misconduct, [/it was not given "x"/]);
});

t.test('of a buffer that is longer than what has been read the rest is nothing', async (t) => {
  const pipe = {
    onread(_bytes?: ArrayBuffer) {},
    pendingHandle: null,
    readStart: () => 0,
    readStop: () => 0,
    bytesRead: 7,
  };
  const child = Object.assign(new EventEmitter(), { send: () => true }) as unknown as ChildProcess;
  const heard = new Heard();
  new WorkerChannel(child, heard, pipe);
  const message = Buffer.from('{"cmd":"NODE_CLUSTER","act":"online"}\n');
  for (let i = 0; i < 2; i++) {
    const buffer = new Uint8Array(64 * 1024).fill(7);
    buffer.set(message);
    pipe.bytesRead += message.length;
    pipe.onread(buffer.buffer);
  }
  t.same(heard.misconduct, []);
  child.emit('disconnect');
});

t.test('messages that nearly fill a buffer are heard as they are', async (t) => {
  const { say, heard } = speaker(t);
  const online = '{"cmd":"NODE_CLUSTER","act":"online"}\n';
  for (const [times, length] of [50, 55, 60, 63].entries()) {
    say(`${online.repeat(Math.floor((length * 1024) / online.length) - 2)}${END}\n`);
    // Each by itself.
    await heard.until(() => heard.messages.length > times || heard.misconduct.length > 0);
  }
  t.same(heard.misconduct, []);
  t.equal(heard.messages.length, 4);
});
