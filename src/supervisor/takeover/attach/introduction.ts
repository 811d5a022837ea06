/**
 * What an orphan says when it comes, before it is one of our workers: who it is, and each of its sockets. Node's own channel
 * reads it, on a pipe that somebody has connected to, so all of it is checked here, and whatever is wrong ends the connection.
 */
import type { ChildProcess } from 'node:child_process';
import type { WorkerMessage } from '../../../protocol/worker.js';
import { type ChannelPipe, pipeOf, readLengths } from '../../workers/channel/channel.js';
import { readWorkerMessage } from '../../workers/channel/messages.js';

export type Attach = Extract<WorkerMessage, { type: 'attach' }>;

/** A raw handle of Node. */
export interface Handed {
  readonly fd: number;
  close(): void;
}

export interface Introduced {
  readonly attach: Attach;
  /** Where its standard output can be read, and its standard error. */
  readonly outputs: readonly [Handed, Handed];
  readonly sockets: readonly { readonly key: string; readonly slot: number; readonly handle: Handed }[];
}

export interface IntroductionOptions {
  readonly child: ChildProcess;
  /** @returns why it is not believed; null where it is */
  readonly judge: (attach: Attach) => string | null;
  /** All has come; nothing more is read until the answer. */
  readonly onIntroduced: (introduced: Introduced) => void;
  /** It is refused, or has gone. What it has handed over is closed. */
  readonly onRefused: (reason: string) => void;
}

/** What it has printed, twice, each byte as one or two, and its addresses. */
const MOST_BYTES = 4 * 1024 * 1024;
const PATIENCE_MS = 10_000;

/** To be called right after the channel has been made, before anything can have been read. */
export function listenToIntroduction(options: IntroductionOptions): void {
  const { child } = options;
  const pipe = pipeOf(child);
  const outputs: Handed[] = [];
  const sockets: Introduced['sockets'][number][] = [];
  let attach: Attach | null = null;
  let bytesLeft = MOST_BYTES;
  let over = false;
  const onread = pipe?.onread;

  // Node's own listeners throw at what they do not expect, and at what comes after the end.
  const { emit } = child;
  child.emit = ((...given: unknown[]) => {
    try {
      return Reflect.apply(emit, child, given) as boolean;
    } catch (error) {
      refuse(error instanceof Error ? error.message : String(error));
      return true;
    }
  }) as ChildProcess['emit'];
  const end = () => {
    over = true;
    clearTimeout(timer);
    child.removeListener('internalMessage', hear);
  };
  const refuse = (reason: string) => {
    if (over) return;
    end();
    for (const handle of [...outputs, ...sockets.map(({ handle }) => handle)]) handle.close();
    options.onRefused(reason);
  };
  const timer = setTimeout(() => refuse('it has not said all in time'), PATIENCE_MS);
  child.once('disconnect', () => refuse('it has gone'));

  if (pipe === null || onread === undefined) {
    refuse('this version of Node is not known');
    return;
  }
  // Node's parser throws at what is no JSON.
  const lengthOf = readLengths(pipe);
  pipe.onread = (...given: Parameters<ChannelPipe['onread']>) => {
    const [bytes] = given;
    if (bytes !== undefined) bytesLeft -= lengthOf(bytes);
    if (bytesLeft < 0) {
      refuse('it says too much');
      return;
    }
    try {
      Reflect.apply(onread, pipe, given);
    } catch (error) {
      refuse(error instanceof Error ? error.message : String(error));
    }
  };
  child.on('internalMessage', hear);

  function hear(message: unknown, handle: unknown): void {
    const { cmd } = (message ?? {}) as { readonly cmd?: unknown };
    // Node's own, around those with a handle.
    if (cmd !== 'NODE_HOLDFAST') return;
    const given = isHandle(handle) ? handle : null;
    try {
      take(readWorkerMessage(message as object), given);
    } catch (error) {
      given?.close();
      refuse(error instanceof Error ? error.message : String(error));
    }
  }

  /** @throws what is wrong with it */
  function take(message: WorkerMessage, handle: Handed | null): void {
    if (message.type === 'attach' && attach === null) {
      const reason = options.judge(message);
      if (reason !== null) throw new Error(reason);
      attach = message;
    } else if (message.type === 'output' && attach !== null && handle !== null && outputs.length < 2) {
      if ((message.stream === 'stdout') !== (outputs.length === 0)) throw new Error('its output is in a wrong order');
      outputs.push(handle);
    } else if (message.type === 'mine' && attach !== null && handle !== null && sockets.length < attach.sockets) {
      sockets.push({ key: message.key, slot: message.slot, handle });
    } else throw new Error(`${message.type} was not expected`);
    const [stdout, stderr] = outputs;
    if (attach === null || stdout === undefined || stderr === undefined || sockets.length < attach.sockets) return;
    end();
    // The worker's own channel guards these from now on.
    if (pipe !== null && onread !== undefined) pipe.onread = onread;
    child.emit = emit;
    options.onIntroduced({ attach, outputs: [stdout, stderr], sockets });
  }
}

function isHandle(value: unknown): value is Handed {
  const { fd, close } = (value ?? {}) as Partial<Handed>;
  return typeof fd === 'number' && typeof close === 'function';
}
