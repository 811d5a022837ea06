/**
 * `exclusive: true` of a UDP socket, and `reusePort`, make Node bind past its cluster, without a word: the next worker finds the
 * port taken. Such a socket is shared by the way of all others. On a port that the kernel chooses it is left as it is.
 */
import dgram, { type Socket } from 'node:dgram';
import { stateOf } from '../node/udp.js';

type Bind = (this: Socket, ...args: unknown[]) => Socket;

interface Where {
  readonly port?: unknown;
  readonly exclusive?: unknown;
}

const sharing = new WeakSet<Socket>();

export function shareExclusiveDatagrams(): void {
  const prototype = dgram.Socket.prototype as unknown as { bind: Bind };
  const { bind } = prototype;
  prototype.bind = {
    bind(this: Socket, ...args: unknown[]) {
      const [first] = args;
      const isObject = typeof first === 'object' && first !== null;
      const port = isObject ? (first as Where).port : first;
      const state = stateOf(this);
      if (Number(port)) {
        if (isObject && (first as Where).exclusive) args[0] = { ...first, exclusive: false };
        if (state?.reusePort) {
          state.reusePort = false;
          sharing.add(this);
        }
      }
      return Reflect.apply(bind, this, args);
    },
  }.bind;
}

/** Whether it has asked to share its port with others of its process as well. */
export function sharesPort(socket: Socket): boolean {
  return sharing.has(socket);
}
