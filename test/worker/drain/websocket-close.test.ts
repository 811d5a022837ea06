import { EventEmitter, once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { webSocketOf } from '../../../dist/worker/connections/websocket.js';
import { Conversation, leaveWebSocket } from '../../../dist/worker/drain/websocket-close.js';
import { watchTraffic } from '../../../dist/worker/drain/websocket-traffic.js';

const SPAN = 1_000;

/** Of a conversation that began at 0: messages that come (`r`) and go (`s`), each with its time. */
function after(...moves: readonly [kind: 'r' | 's', at: number][]): Conversation {
  const conversation = new Conversation(0, SPAN);
  for (const [kind, at] of moves) {
    if (kind === 'r') conversation.received(at);
    else conversation.sent(at);
  }
  return conversation;
}

t.test('who says nothing is left after a silence of half of the time', async (t) => {
  t.equal(after().quietAt, 500);
});

t.test('the close frame goes with the answer once exchanges of one message and one answer are known', async (t) => {
  const known = after(['r', 0], ['s', 5], ['r', 20], ['s', 25], ['r', 40], ['s', 45], ['r', 60], ['s', 65]);
  t.equal(known.quietAt, 65);
  t.equal(after(['r', 0], ['s', 5], ['r', 20], ['s', 25]).quietAt, 525, 'not before');
  known.received(80);
  known.received(81);
  known.sent(85);
  t.equal(known.quietAt, SPAN, 'another message waits');
});

t.test('a slow client is left after its second answer', async (t) => {
  const conversation = after(['r', 100], ['s', 110], ['r', 300]);
  t.ok(conversation.quietAt > 900, 'its message waits for the answer');
  conversation.sent(310);
  t.equal(conversation.quietAt, 310);
});

t.test('messages that came in a row are answered first', async (t) => {
  const conversation = after(['r', 0], ['s', 200], ['r', 300], ['r', 301], ['r', 302], ['s', 330], ['s', 360]);
  t.ok(conversation.quietAt > 900);
  conversation.sent(390);
  t.equal(conversation.quietAt, 390);
});

t.test('an answer in many messages is over after a pause that is longer than those in it', async (t) => {
  const conversation = after(['r', 0], ['s', 10], ['s', 30], ['s', 50]);
  t.ok(conversation.quietAt >= 550);
  const late = after(['r', 700], ['s', 710], ['s', 740], ['s', 770], ['s', 800]);
  t.equal(late.quietAt, 890, 'three of the longest');
  late.received(900);
  late.sent(905);
  t.equal(late.quietAt, 995);
});

t.test('what is sent before the first message counts for nothing: it may answer an earlier one', async (t) => {
  const conversation = after(['s', 2], ['r', 20], ['s', 25], ['r', 40], ['s', 45], ['r', 60], ['s', 65], ['r', 80]);
  conversation.sent(85);
  t.equal(conversation.quietAt, 85);
});

t.test('at the very end anything will do that has just moved, and there is an end', async (t) => {
  t.equal(after(['r', 940], ['r', 941], ['s', 950]).quietAt, 950);
  t.equal(after(['r', 940], ['r', 945], ['r', 950]).quietAt, 950, 'a server that never answers');
  t.equal(after(['s', 100], ['r', 950]).quietAt, SPAN);
});

t.test(
  'who waits for an answer when the time is up has longer, and who has always had one until the end',
  async (t) => {
    const lateBy = (...moves: readonly [kind: 'r' | 's', at: number][]) => {
      const conversation = new Conversation(0, SPAN, 60_000);
      for (const [kind, at] of moves) conversation[kind === 'r' ? 'received' : 'sent'](at);
      return conversation.quietAt;
    };
    t.equal(lateBy(['r', 900]), 3 * SPAN);
    t.equal(lateBy(['r', 0], ['s', 5], ['r', 20], ['s', 25], ['r', 900]), 60_000);
    t.equal(lateBy(['r', 0], ['s', 5], ['r', 20], ['s', 4_000]), 4_000, 'with the answer that it had waited for');
    t.equal(lateBy(['r', 880], ['r', 890], ['r', 900]), SPAN, 'what is never answered');
  },
);

/** What goes out in one piece, as lists of the first bytes of its parts. */
function watchPieces(socket: Socket): readonly (readonly number[])[] {
  const pieces: number[][] = [];
  const { _write: write, _writev: writev } = socket;
  const first = (chunk: unknown) => Buffer.from(chunk as string)[0] ?? 0;
  socket._write = function (chunk, encoding, done) {
    pieces.push([first(chunk)]);
    write.call(this, chunk, encoding, done);
  };
  socket._writev = function (chunks, done) {
    pieces.push(chunks.map(({ chunk }) => first(chunk)));
    writev?.call(this, chunks, done);
  };
  return pieces;
}

/** First bytes of frames of a server: the whole of a text, and the end. */
const TEXT = 0x81;
const CLOSE = 0x88;

/** Both ends of a WebSocket; `onMessage` is the application. */
async function connect(t: Test, onMessage: (socket: WebSocket, word: string) => void, options = {}) {
  const server = http.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sockets = new WebSocketServer({ server, ...options });
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const [there, request] = (await once(sockets, 'connection')) as [WebSocket, IncomingMessage];
  there.on('message', (word) => onMessage(there, String(word)));
  if (client.readyState !== WebSocket.OPEN) await once(client, 'open');
  t.teardown(() => {
    client.terminate();
    there.terminate();
    server.close();
  });
  const closed = once(client, 'close').then(([code, reason]) => ({ code: code as number, reason: String(reason) }));
  return { client, there, socket: request.socket, closed };
}

function leave(socket: Socket, inMs: number, endsInMs = inMs): void {
  const webSocket = webSocketOf(socket);
  if (webSocket === undefined) throw new Error('no WebSocket was found');
  const now = performance.now();
  const times = { latestAt: now + inMs, endsAt: now + endsInMs };
  leaveWebSocket(socket, webSocket, { code: 1012, reason: 'service restart', ...times });
}

t.test('a handler that works on a message sends its answer before the close frame', async (t) => {
  for (const perMessageDeflate of [false, { threshold: 0 }]) {
    const work = async (one: WebSocket, word: string) => {
      await pause(30);
      one.send(word.repeat(100));
    };
    const { client, socket, closed, there } = await connect(t, work, { perMessageDeflate });
    let sent = 0;
    let answered = 0;
    client.on('message', () => {
      answered += 1;
      setTimeout(() => {
        if (client.readyState !== WebSocket.OPEN) return;
        client.send('word');
        sent += 1;
      }, 10);
    });
    client.send('word');
    sent += 1;
    leave(socket, 20_000);
    t.same(await closed, { code: 1012, reason: 'service restart' });
    t.equal(answered, sent, `${sent} messages`);
    t.ok(sent > 1);
    if (there.readyState !== WebSocket.CLOSED) await once(there, 'close');
  }
});

t.test('several that are under way at once are all answered', async (t) => {
  const { client, socket, closed } = await connect(t, (one, word) => setTimeout(() => one.send(word), 20));
  let sent = 0;
  let answered = 0;
  const burst = () => {
    if (client.readyState !== WebSocket.OPEN) return;
    for (let i = 0; i < 3; i++) client.send(`word ${i}`);
    sent += 3;
  };
  client.on('message', () => {
    answered += 1;
    if (answered === sent) setTimeout(burst, 50);
  });
  burst();
  leave(socket, 600);
  t.equal((await closed).code, 1012);
  t.equal(answered, sent);
});

t.test('a busy machine takes longer than there was time: what is asked by then is answered', async (t) => {
  const { client, socket, closed } = await connect(t, (one, word) => setTimeout(() => one.send(word), 400));
  let [sent, answered] = [0, 0];
  const ask = () => {
    if (client.readyState !== WebSocket.OPEN) return;
    sent += 1;
    client.send(`word ${sent}`);
  };
  client.on('message', () => {
    answered += 1;
    setTimeout(ask, 20);
  });
  ask();
  const pieces = watchPieces(socket);
  leave(socket, 300, 60_000);
  t.equal((await closed).code, 1012);
  t.equal(answered, sent);
  t.ok(pieces.find((piece) => piece.includes(CLOSE))?.includes(TEXT), 'in one piece');
});

t.test('several answers in one turn go before the close frame', async (t) => {
  const { client, socket, closed } = await connect(t, (one, word) => {
    one.send(word);
    if (word === 'two') one.send(word);
  });
  let answered = 0;
  client.on('message', () => {
    answered += 1;
    // Slow enough to be known by one exchange.
    if (answered === 1) setTimeout(() => client.send('two'), 200);
  });
  leave(socket, 1_000, 60_000);
  client.send('one');
  t.equal((await closed).code, 1012);
  t.equal(answered, 3);
});

t.test('pings, pongs and the packets of engine.io are no messages', async (t) => {
  const { client, there, socket, closed } = await connect(t, () => {});
  const timer = setInterval(() => {
    client.ping();
    client.send('3');
    client.send('2probe');
    there.send('3probe');
    there.ping();
  }, 5);
  t.teardown(() => clearInterval(timer));
  const beganAt = performance.now();
  leave(socket, 2_000);
  t.equal((await closed).code, 1012);
  const tookMs = performance.now() - beganAt;
  t.ok(tookMs < 1_800, `it was quiet after ${Math.round(tookMs)} ms`);
});

t.test('a WebSocket that the application closes meanwhile keeps its own end', async (t) => {
  const { there, socket, closed } = await connect(t, () => {});
  leave(socket, 100);
  there.close(4000, 'its own');
  t.same(await closed, { code: 4000, reason: 'its own' });
});

t.test('where there is no time at all it is closed at once, and nothing is left of the watch', async (t) => {
  const { socket, closed } = await connect(t, () => {});
  const sender = webSocketOf(socket)?._sender;
  if (!sender) throw new Error('no sender');
  leave(socket, 0);
  t.equal(Object.hasOwn(sender, 'sendFrame'), true);
  t.equal((await closed).code, 1012);
  t.equal(Object.hasOwn(sender, 'sendFrame'), false);
});

t.test('what cannot be sent is over as well: a connection that was corked for it goes on', async (t) => {
  const steps: string[] = [];
  const failing = () => {
    throw new TypeError('no data');
  };
  const sending = () => {
    steps.push('sending');
    return () => steps.push('sent');
  };
  const listener = { received() {}, passed() {}, sending };
  const pieces = { write: failing, push: () => true };
  watchTraffic(pieces as never, {} as never, listener as never);
  t.throws(() => (pieces.write as (chunk: unknown) => void)(5), /no data/);
  const frames = { _receiver: new EventEmitter(), _sender: { sendFrame: failing } };
  watchTraffic({} as never, frames as never, listener as never);
  t.throws(() => (frames._sender.sendFrame as (list: unknown) => void)([Buffer.from([0x81, 1]), 'x']), /no data/);
  t.same(steps, ['sending', 'sent', 'sending', 'sent']);
});
