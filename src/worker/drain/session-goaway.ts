/**
 * How a session of HTTP/2 is left, so that no stream of a client that does as the standard says is refused.
 *
 * In two steps where that is possible (shutdown-notice.ts): a first GOAWAY that refuses nothing; a PING, whose answer comes
 * after all streams that the client had sent before it read that; and then the GOAWAY that names the last stream.
 *
 * Elsewhere (TLS) the second one alone: what is on its way lies beyond the last stream that it names, so the client knows
 * that it may be sent elsewhere (RFC 9113, section 8.7). Node has no better one: nghttp2 ignores every stream that comes
 * after any GOAWAY that Node has it send, and refuses those on their way when no more streams are allowed.
 *
 * Both begin when a stream does: most clients then wait for its answer. A client that is about to send a stream when it
 * reads a GOAWAY fails it by itself, be it that the answer before that made it ask. So the first GOAWAY goes ahead of
 * the answers, and at a moment at which none is on its way.
 *
 * Called by shutdown.ts.
 */
import type { ServerHttp2Session } from 'node:http2';
import { performance } from 'node:perf_hooks';
import { bytesWrittenTo, sendNotice } from './goaway-notice.js';

/** How often it is looked whether something has been written, or is still queued. */
const LOOK_MS = 4;
/** How long nothing has to have been written when a stream begins, at first; later less and less. */
const QUIET_MS = 8;
/** What a client that was just sending a stream when it read the notice has for that, once it has answered the PING. */
const LAST_STREAMS_MS = 20;

/**
 * @param patienceMs until then the session is closed in any case. A quarter of it is waited for the next stream, half of
 *   it for a moment at which the notice can be written, the rest for the answer to the PING. Where there is no notice,
 *   half of it is waited for the next stream.
 */
export function leaveSession(session: ServerHttp2Session, patienceMs: number): void {
  if (bytesWrittenTo(session) === undefined) afterNextStream(session, patienceMs / 2, () => close(session));
  else {
    const beganAt = performance.now();
    announce(session, beganAt, patienceMs, (announced) => {
      if (announced) afterLastStreams(session, beganAt + patienceMs, () => close(session));
      else close(session);
    });
  }
}

function afterNextStream(session: ServerHttp2Session, waitMs: number, then: () => void): void {
  const go = () => {
    clearTimeout(timer);
    session.off('stream', begun);
    then();
  };
  // Others may have come in the same piece: a closed session would refuse them.
  const begun = () => setImmediate(go);
  const timer = setTimeout(go, waitMs);
  timer.unref();
  session.once('stream', begun);
}

function announce(
  session: ServerHttp2Session,
  beganAt: number,
  patienceMs: number,
  then: (announced: boolean) => void,
): void {
  let written = bytesWrittenTo(session);
  let quietSince = beganAt;
  const look = (hasBegun: boolean) => {
    const now = performance.now();
    const writtenNow = bytesWrittenTo(session);
    if (writtenNow !== written) quietSince = now;
    written = writtenNow;
    const elapsed = (now - beganAt) / patienceMs;
    const isQuiet = now - quietSince >= QUIET_MS * (1 - 4 * elapsed);
    if (written !== undefined && elapsed < 0.25 && !(hasBegun && isQuiet)) return;
    const result = sendNotice(session);
    if (result === 'later' && elapsed < 0.5) return;
    clearInterval(timer);
    session.off('stream', begun);
    then(result === 'sent');
  };
  const begun = () => look(true);
  const timer = setInterval(() => look(false), LOOK_MS);
  timer.unref();
  session.on('stream', begun);
}

function afterLastStreams(session: ServerHttp2Session, until: number, then: () => void): void {
  const timer = setTimeout(then, Math.max(0, until - performance.now()));
  timer.unref();
  const answered = () => {
    clearTimeout(timer);
    setTimeout(then, LAST_STREAMS_MS).unref();
  };
  try {
    session.ping((error) => {
      // Not an answer: the session has ended, or the application has too many of its own under way.
      if (error === null) answered();
    });
  } catch {
    // The session has just ended.
  }
}

/** From here on Node ends the session with its last stream. */
function close(session: ServerHttp2Session): void {
  if (!session.closed && !session.destroyed) session.close();
}
