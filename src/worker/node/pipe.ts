/** Node's raw pipe, and its class of write requests, as far as the channel between two workers uses them. */
import type { TcpHandle } from './handle.js';

/** A pipe as Node has it, as far as it is used here. */
export interface PipeHandle {
  readonly fd: number;
  readonly constructor: new (type: number) => PipeHandle;
  /** A handle that came with what was read last. */
  pendingHandle?: TcpHandle | null;
  open(fd: number): number | undefined;
  close(callback?: () => void): void;
  /** @returns 0 or a negative errno */
  writeLatin1String(request: WriteRequest, text: string, handle?: TcpHandle): number;
}

export interface WriteRequest {
  handle?: TcpHandle;
  oncomplete?: (status: number) => void;
}

export type WriteRequestClass = new () => WriteRequest;

/** `PipeConstants.IPC`: only such a pipe carries handles. */
export const IPC = 2;

/** Seen where Node itself writes to the process's own channel: pipes of all kinds have the method from one and the same object. */
export function seeRequestClass(pipe: PipeHandle, speak: () => void): WriteRequestClass | undefined {
  type Stream = { writeUtf8String(request: WriteRequest | null, ...rest: unknown[]): unknown };
  let owner = pipe as unknown as Stream | null;
  while (owner !== null && !Object.hasOwn(owner, 'writeUtf8String'))
    owner = Object.getPrototypeOf(owner) as Stream | null;
  if (owner === null) return undefined;
  const { writeUtf8String } = owner;
  let seen: WriteRequestClass | undefined;
  owner.writeUtf8String = function see(this: Stream, request, ...rest) {
    if (request !== null) seen = request.constructor as WriteRequestClass;
    return writeUtf8String.call(this, request, ...rest);
  };
  try {
    speak();
  } finally {
    owner.writeUtf8String = writeUtf8String;
  }
  return seen;
}
