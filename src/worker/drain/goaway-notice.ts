/**
 * The first of the two GOAWAY frames with which a server of HTTP/2 ends a connection (RFC 9113, section 6.8): it names the
 * highest stream there can be, so nothing that is on its way is refused, and asks the client for no more. nghttp2 can
 * send it, Node offers no way to ask for it, so its bytes are written to the file of the connection.
 *
 * Called by session-goaway.ts. This is the only place that reaches beneath a session. It never throws.
 */
import fs from 'node:fs';
import type { ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { ownerOf } from '../node/symbols.js';

/** Length 8, type 7, no flags, stream 0; the last stream that counts, and no error. */
const NOTICE = Buffer.from([0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
/** How long the rest of a notice is tried of which the kernel has taken a part: this blocks the event loop. */
const REST_MS = 50;
/** Kept from the start: applications replace it in their tests. */
const { writeSync } = fs;

/** `later`: something is in the way now. `never`: not on this connection. */
export type NoticeResult = 'sent' | 'later' | 'never';

/** Node's handle of a connection, as far as it is used here. */
interface StreamHandle {
  readonly fd?: number;
  /** Bytes that the kernel has not taken yet. */
  readonly writeQueueSize?: number;
}

/** A session's stand-in for its socket: reading is allowed, `destroy` is not. */
type SessionSocket = Socket & { readonly _handle?: StreamHandle | null; readonly encrypted?: boolean };

/**
 * How many bytes have been written to a connection; undefined where no notice can be: beneath TLS, on streams made in
 * JavaScript, on Windows, and when the connection has ended.
 */
export function bytesWrittenTo(session: ServerHttp2Session): number | undefined {
  return fileOf(session)?.written();
}

/**
 * nghttp2's output is written in one piece per turn, whole frames, and HEADERS with all of their CONTINUATION frames. What
 * the kernel did not take stays in libuv's queue. So whenever that is empty, the connection is between two frames.
 *
 * Not by `write` of the socket or its handle: if it had to wait, Node would take its end for the end of nghttp2's write.
 */
export function sendNotice(session: ServerHttp2Session): NoticeResult {
  const file = fileOf(session);
  if (file === undefined || session.closed) return 'never';
  // Its first frame has to be SETTINGS: what was acknowledged has been sent.
  if (session.pendingSettingsAck || file.queued() !== 0) return 'later';
  return writeWhole(file);
}

interface ConnectionFile {
  readonly fd: number;
  written(): number;
  queued(): number;
  destroy(): void;
}

function fileOf(session: ServerHttp2Session): ConnectionFile | undefined {
  try {
    const socket = session.destroyed ? undefined : (session.socket as SessionSocket);
    const handle = socket?._handle;
    if (!socket || !handle || socket.encrypted || socket.destroyed || !socket.writable) return undefined;
    // A handle of TLS has a file as well.
    if (!['TCP', 'Pipe'].includes(handle.constructor.name)) return undefined;
    const { fd } = handle;
    if (fd === undefined || fd < 0 || handle.writeQueueSize === undefined) return undefined;
    return {
      fd,
      written: () => socket.bytesWritten,
      queued: () => (handle.writeQueueSize ?? 0) + socket.writableLength,
      destroy: () => ownerOf<Socket>(handle)?.destroy(),
    };
  } catch {
    // The session has let its socket go.
    return undefined;
  }
}

function writeWhole(file: ConnectionFile): NoticeResult {
  let sent = 0;
  let until = Number.POSITIVE_INFINITY;
  for (;;) {
    try {
      sent += writeSync(file.fd, NOTICE, sent);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') break;
      if (sent === 0) return 'later';
    }
    if (sent === NOTICE.length) return 'sent';
    if (until === Number.POSITIVE_INFINITY) until = performance.now() + REST_MS;
    if (performance.now() > until) break;
  }
  // Whatever came next on this connection would be read as the rest of the notice.
  if (sent > 0) file.destroy();
  return 'never';
}
