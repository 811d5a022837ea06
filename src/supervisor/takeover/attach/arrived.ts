/** Of an orphan that has come, what a worker of this supervisor is made of. */
import net from 'node:net';
import type { Readable } from 'node:stream';
import type { Attached } from '../../workers/process/fork.js';
import type { Arrival } from './attach-server.js';

export function attachedFrom({ attach, outputs, process }: Arrival): Attached {
  const [stdout, stderr] = outputs;
  return {
    worker: process.cluster,
    stdout: streamOf(stdout, attach.stdout),
    stderr: streamOf(stderr, attach.stderr),
    addresses: attach.listening,
    isTold: () => process.isTold,
  };
}

/** @param before what has been read from it already, a character for each byte */
function streamOf(handle: object, before: string): Readable {
  const stream = new net.Socket({ handle, readable: true, writable: false } as net.SocketConstructorOpts);
  stream.on('error', () => {});
  if (before !== '') stream.unshift(Buffer.from(before, 'latin1'));
  return stream;
}
