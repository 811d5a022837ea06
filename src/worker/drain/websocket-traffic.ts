/**
 * What moves over a WebSocket while it is about to be left. Looks on beneath the application's own listeners, and is gone
 * afterwards: before its turn nothing is looked at.
 */
import type { Socket } from 'node:net';
import type { Receiver, Sender, WebSocketLike } from '../connections/websocket.js';

export interface TrafficListener {
  received(): void;
  /** Is called before the message goes out; what it returns is called once it has, or could not. */
  sending(): () => void;
  /** Something that asks for no answer and is none. */
  passed(): void;
}

/** RFC 6455, section 5.2: the first byte of a frame. */
const FIN = 0x80;
const OPCODE = 0x0f;
const CONTROL = 0x08;
/** engine.io's own packets, as socket.io sends them: ping, pong, their probes, upgrade and noop. */
const ENGINE_IO = /^(?:[23](?:probe)?|[56])$/;
const LONGEST_ENGINE_IO = 6;

/** @returns what ends it */
export function watchTraffic(socket: Socket, webSocket: WebSocketLike, listener: TrafficListener): () => void {
  const { _receiver: receiver, _sender: sender } = webSocket;
  if (typeof receiver?.prependListener === 'function' && typeof sender?.sendFrame === 'function') {
    return watchFrames(receiver, sender, listener);
  }
  return watchPieces(socket, listener);
}

/** As `ws` has them: message by message. */
function watchFrames(receiver: Receiver, sender: Sender, listener: TrafficListener): () => void {
  // Before its own listener: the application may answer in it.
  const onMessage = (data?: unknown) => (isEngineIo(data) ? listener.passed() : listener.received());
  const onControl = () => listener.passed();
  receiver.prependListener('message', onMessage);
  receiver.prependListener('ping', onControl);
  receiver.prependListener('pong', onControl);
  const undo = shadow(sender, 'sendFrame', (sendFrame, list: Parameters<Sender['sendFrame']>[0], ...rest) => {
    const sent = isMessage(list) ? listener.sending() : () => listener.passed();
    try {
      return sendFrame(list, ...rest);
    } finally {
      sent();
    }
  });
  return () => {
    undo();
    receiver.off('message', onMessage);
    receiver.off('ping', onControl);
    receiver.off('pong', onControl);
  };
}

function isMessage(list: readonly (Uint8Array | string)[]): boolean {
  const [head] = list;
  if (typeof head === 'string' || head === undefined) return true;
  const first = head[0] ?? 0;
  if ((first & FIN) === 0 || (first & OPCODE) >= CONTROL) return false;
  // A server's frames are not masked: what is short has two bytes of head.
  return !isEngineIo(list.length > 1 ? list[1] : head.subarray(2));
}

function isEngineIo(data: unknown): boolean {
  if (typeof data === 'string') return ENGINE_IO.test(data);
  if (!(data instanceof Uint8Array) || data.length === 0 || data.length > LONGEST_ENGINE_IO) return false;
  return ENGINE_IO.test(String.fromCharCode(...data));
}

/** Of other libraries only what comes and goes is known, piece by piece, each of which begins with a frame. */
function watchPieces(socket: Socket, listener: TrafficListener): () => void {
  const undoPush = shadow(socket, 'push', (push, chunk: unknown, ...rest) => {
    if (chunk instanceof Uint8Array) {
      if (isControl(chunk)) listener.passed();
      else listener.received();
    }
    return push(chunk, ...rest);
  });
  const undoWrite = shadow(socket, 'write', (write, chunk: unknown, ...rest) => {
    const sent = chunk instanceof Uint8Array && isControl(chunk) ? () => listener.passed() : listener.sending();
    // It throws at what is no data: the connection goes on.
    try {
      return write(chunk, ...rest);
    } finally {
      sent();
    }
  });
  return () => {
    undoPush();
    undoWrite();
  };
}

function isControl(chunk: Uint8Array): boolean {
  const first = chunk[0] ?? 0;
  return (first & FIN) !== 0 && (first & OPCODE) >= CONTROL;
}

/** A method of one object is replaced by one that calls it. Where something else has been put over it since, it stays, and only calls. */
function shadow(
  target: object,
  name: string,
  call: (original: (...args: unknown[]) => unknown, ...args: never[]) => unknown,
): () => void {
  const holder = target as Record<string, unknown>;
  const own = Object.hasOwn(holder, name);
  const original = holder[name] as (...args: unknown[]) => unknown;
  let active = true;
  const ours = function shadowed(this: unknown, ...args: unknown[]) {
    const bound = (...given: unknown[]) => Reflect.apply(original, this, given);
    return active ? call(bound, ...(args as never[])) : bound(...args);
  };
  holder[name] = ours;
  return () => {
    active = false;
    if (holder[name] !== ours) return;
    if (own) holder[name] = original;
    else delete holder[name];
  };
}
