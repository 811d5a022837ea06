/**
 * The worker's end of the channel to the supervisor.
 *
 * The application uses the same channel: Node keeps messages whose `cmd` begins with `NODE_` away from its `message`
 * listeners, and here nothing is added that it could count or that keeps its process alive.
 */
import type { IpcCommand, SupervisorMessage, WorkerMessage } from '../../protocol/worker.js';
import type { TcpHandle } from '../node/handle.js';
import { isSupervisorMessage, mayHaveHandle } from './messages.js';

type WithoutCommand<T> = T extends unknown ? Omit<T, 'cmd'> : never;

const CMD: IpcCommand = 'NODE_HOLDFAST';

export interface Channel {
  /** Tells the supervisor; where the channel is closed, `onLost` is called instead. Never throws. */
  send(message: WithoutCommand<WorkerMessage>, onLost?: () => void): void;
  /** A number for a question, by which its answer is known. */
  ask(): number;
  /** PM2's word: the application is ready. Never throws. */
  sayReady(): void;
  /** While held, the process does not end for want of work: an answer of the supervisor is still to come. */
  hold(): void;
  letGo(): void;
}

export function openChannel(
  onMessage: (message: SupervisorMessage, handle: TcpHandle | undefined) => void,
): Channel | undefined {
  // Kept from the start: applications replace `process.send`.
  const send = process.send?.bind(process);
  const { channel } = process;
  if (send === undefined || channel === undefined) return undefined;
  let holders = 0;
  let asked = 0;
  // node:cluster's own `disconnect` listener would keep the process alive; without holdfast nothing does.
  channel.unref();
  process.on('internalMessage' as 'message', (message: unknown, handle: unknown) => {
    if (!isOurs(message)) return;
    const given = handleOf(handle);
    const known = isSupervisorMessage(message);
    if (given !== undefined && !(known && mayHaveHandle(message))) given.close();
    // Not caught: what the application's own listeners throw from here is its own uncaught error.
    if (known) onMessage(message, given);
  });
  return {
    send(message, onLost) {
      send({ cmd: CMD, ...message }, undefined, undefined, (error) => {
        if (error !== null) onLost?.();
      });
    },
    ask: () => ++asked,
    sayReady() {
      send('ready', undefined, undefined, () => {});
    },
    hold() {
      holders += 1;
      process.channel?.ref();
    },
    letGo() {
      holders -= 1;
      if (holders === 0) process.channel?.unref();
    },
  };
}

function isOurs(message: unknown): message is { readonly cmd: IpcCommand } {
  return typeof message === 'object' && message !== null && (message as { cmd?: unknown }).cmd === CMD;
}

/** What comes beside a message, where it can be closed. */
function handleOf(handle: unknown): TcpHandle | undefined {
  if (typeof handle !== 'object' || handle === null) return undefined;
  return typeof (handle as Partial<TcpHandle>).close === 'function' ? (handle as TcpHandle) : undefined;
}
