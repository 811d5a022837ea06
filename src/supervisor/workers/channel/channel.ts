/**
 * The supervisor's end of a worker's channel: reads what the worker says, checks it, and passes on what is right. What is
 * wrong is told as misconduct of that worker, whatever threw: Node's own listeners on the channel are called from here.
 *
 * Made by the worker handle. Reads in place of Node's parser, which throws where nobody can catch it, takes lines of any
 * length, and takes every handle that it is sent. Must never throw at its callers.
 */
import type { ChildProcess } from 'node:child_process';
import os from 'node:os';
import { performance } from 'node:perf_hooks';
import type { WorkerMessage } from '../../../protocol/worker.js';
import { Allowance, FLOOD_MS } from './allowance.js';
import { MessageLines } from './message-lines.js';
import { Mismatch } from './message-shape.js';
import { readWorkerMessage } from './messages.js';
import { type ClusterMessage, readClusterMessage } from './node-messages.js';
import { Told } from './told.js';

/** Applications send each other's primary what they like; whatever is longer is not kept until its end has come. */
const LONGEST_MESSAGE_BYTES = 8 * 1024 * 1024;
const EXCERPT_CHARACTERS = 60;

export interface ChannelListener {
  onMessage(message: WorkerMessage): void;
  onSaidReady(): void;
  /** Told once; `reason` goes on with "a worker". What is right is heard on. */
  onMisconduct(reason: string, error?: unknown): void;
  /** More is said than there is time for: it is read more slowly, for now. */
  onSlowed(): void;
  /** It wants to listen on a file descriptor of this process, which is refused. */
  onDescriptorRefused(fd: number): void;
}

/** The pipe beneath the channel, as Node has it. `onread` is called without bytes at its end. */
export interface ChannelPipe {
  onread(bytes?: ArrayBuffer): void;
  /** Since it began, what `onread` is just called with included. */
  readonly bytesRead?: number;
  pendingHandle: { close(): void } | null;
  readStart(): number;
  readStop(): number;
}

/** Node keeps it under a symbol. null where this Node does not. */
export function pipeOf(child: ChildProcess): ChannelPipe | null {
  for (const symbol of Object.getOwnPropertySymbols(child)) {
    if (symbol.description !== 'kChannelHandle') continue;
    const pipe = (child as unknown as Record<symbol, Partial<ChannelPipe> | null>)[symbol];
    const isKnown = [pipe?.onread, pipe?.readStart, pipe?.readStop].every((method) => typeof method === 'function');
    if (isKnown) return pipe as ChannelPipe;
  }
  return null;
}

/**
 * Tells, each time that `onread` is called, how many bytes have been read. Node 26 gives a buffer that may be longer than that, and
 * what follows in it is anything. To be made before anything is read.
 */
export function readLengths(pipe: ChannelPipe): (bytes: ArrayBuffer) => number {
  let before = pipe.bytesRead ?? 0;
  return (bytes) => {
    const { bytesRead } = pipe;
    if (bytesRead === undefined) return bytes.byteLength;
    const length = bytesRead - before;
    before = bytesRead;
    return length;
  };
}

/** Those that are open: they share the supervisor's time. */
const open = new Set<WorkerChannel>();

export class WorkerChannel {
  readonly #child: ChildProcess;
  readonly #listener: ChannelListener;
  readonly #lines = new MessageLines(LONGEST_MESSAGE_BYTES);
  readonly #allowance = new Allowance();
  /** What the worker has been told, and may therefore speak of. */
  readonly #told = new Told();
  #misconduct = false;
  #slowed = false;

  /**
   * Right after the fork, before anything can have been read.
   *
   * @param pipe without it Node's own parser reads, and what makes that throw is nobody's fault in particular
   */
  constructor(child: ChildProcess, listener: ChannelListener, pipe: ChannelPipe | null = pipeOf(child)) {
    this.#child = child;
    this.#listener = listener;
    this.#guardEmit();
    const { send } = child;
    child.send = ((message: object, ...rest: unknown[]) => {
      this.#told.note(message as Readonly<Record<string, unknown>>);
      return Reflect.apply(send, child, [message, ...rest]);
    }) as ChildProcess['send'];
    open.add(this);
    child.prependOnceListener('disconnect', () => open.delete(this));
    if (pipe === null) {
      child.on('internalMessage', (message) => this.#guarded(() => this.#ours(message)));
      child.on('message', (message) => this.#guarded(() => this.#take(message)));
    } else this.#readFrom(pipe);
  }

  /** It has been given those before. */
  knows(addresses: readonly string[]): void {
    for (const key of addresses) this.#told.has(key);
  }

  #readFrom(pipe: ChannelPipe): void {
    const atEnd = pipe.onread;
    const lengthOf = readLengths(pipe);
    pipe.onread = (bytes) => {
      const stray = pipe.pendingHandle;
      if (stray) {
        pipe.pendingHandle = null;
        stray.close();
        this.#misbehaves('sent a handle that nobody asked for');
      }
      if (bytes === undefined) {
        this.#guarded(() => atEnd.call(pipe));
        return;
      }
      const length = lengthOf(bytes);
      const { lines, cut } = this.#lines.push(Buffer.from(bytes, 0, length));
      if (cut) this.#misbehaves(`sent a message of more than ${LONGEST_MESSAGE_BYTES / 1024 ** 2} MiB`);
      for (const line of lines) this.#guarded(() => this.#take(parse(line)));
      // One more: reading costs as well, however little there is.
      this.#spend(pipe, lines.length + 1, length);
    };
  }

  #spend(pipe: ChannelPipe, messages: number, bytes: number): void {
    const now = performance.now();
    const pauseMs = this.#allowance.spend({ messages, bytes }, open.size, now);
    if (pauseMs === 0) return;
    if (this.#allowance.isFlooded(now)) {
      this.#misbehaves(`floods its channel: it has been slowed for ${FLOOD_MS / 1000} s, and goes on`);
    }
    if (!this.#slowed) {
      this.#slowed = true;
      this.#listener.onSlowed();
    }
    pipe.readStop();
    setTimeout(() => pipe.readStart(), pauseMs).unref();
  }

  /** @throws what is wrong with it */
  #take(message: unknown): void {
    if (message === 'ready') {
      this.#listener.onSaidReady();
      return;
    }
    if (typeof message !== 'object' || message === null) return;
    const { cmd } = message as { readonly cmd?: unknown };
    switch (cmd) {
      case 'NODE_HOLDFAST':
        this.#ours(message);
        break;
      case 'NODE_CLUSTER': {
        const known = readClusterMessage(message);
        if (known !== null && this.#mayPass(known)) this.#child.emit('internalMessage', message);
        break;
      }
      case 'NODE_HANDLE_ACK':
      case 'NODE_HANDLE_NACK':
        this.#child.emit('internalMessage', message);
        break;
      case 'NODE_HANDLE':
        throw new Mismatch('it came with a handle that nobody asked for');
      // Anything else is the application's own, and nobody listens to it here.
    }
  }

  #ours(message: unknown): void {
    if (typeof message !== 'object' || message === null) return;
    if ((message as { readonly cmd?: unknown }).cmd !== 'NODE_HOLDFAST') return;
    const known = readWorkerMessage(message);
    this.#told.expect(known);
    this.#listener.onMessage(known);
  }

  #mayPass(message: ClusterMessage): boolean {
    this.#told.expectOfCluster(message);
    if (!('act' in message) || message.act !== 'queryServer' || message.fd === null) return true;
    // A number in this process: it would be one of the supervisor's own, and is closed with the server.
    this.#listener.onDescriptorRefused(message.fd);
    const errno = -os.constants.errno.EINVAL;
    this.#child.send({ cmd: 'NODE_CLUSTER', ack: message.seq, errno, key: '' }, () => {});
    return false;
  }

  /** Node's listeners throw at what they do not expect, also at the end of a channel and of a process. */
  #guardEmit(): void {
    const child = this.#child;
    const { emit } = child;
    child.emit = ((...args: unknown[]) => {
      try {
        return Reflect.apply(emit, child, args) as boolean;
      } catch (error) {
        this.#misbehaves('said what Node cannot make sense of', error);
        return true;
      }
    }) as ChildProcess['emit'];
  }

  #guarded(act: () => void): void {
    try {
      act();
    } catch (error) {
      if (error instanceof Mismatch)
        this.#misbehaves(`sent something other than a message of a worker: ${error.message}`);
      else this.#misbehaves('sent what cannot be dealt with', error);
    }
  }

  #misbehaves(reason: string, error?: unknown): void {
    if (this.#misconduct) return;
    this.#misconduct = true;
    this.#listener.onMisconduct(reason, error);
  }
}

function parse(line: Buffer): unknown {
  const text = line.toString();
  try {
    return JSON.parse(text);
  } catch {
    throw new Mismatch(`${JSON.stringify(text.slice(0, EXCERPT_CHARACTERS))} is not JSON`);
  }
}
