/**
 * How a session of HTTP/2 is left: by GOAWAY, at a moment at which nothing is on its way to us. That is right after a stream
 * has begun, for most clients wait for its answer, or when there has been none for a while.
 *
 * The standard's way, a GOAWAY with the highest of all streams first, is no help in Node: nghttp2 ignores every stream that
 * comes after any GOAWAY that Node has it send. Allowing no more streams first is none either: nghttp2 refuses those that
 * are on their way. What is on its way all the same lies beyond the last stream that the GOAWAY names, so that the client
 * knows that it may be sent elsewhere (RFC 9113, section 8.7).
 */
import type { ServerHttp2Session } from 'node:http2';

/** @param patienceMs how long the next stream is waited for */
export function leaveSession(session: ServerHttp2Session, patienceMs: number): void {
  const leave = () => {
    clearTimeout(timer);
    session.off('stream', begun);
    // From here on Node ends the session with its last stream.
    if (!session.closed && !session.destroyed) session.close();
  };
  // Others may have come in the same piece: a closed session would refuse them.
  const begun = () => setImmediate(leave);
  const timer = setTimeout(leave, patienceMs);
  timer.unref();
  session.once('stream', begun);
}
