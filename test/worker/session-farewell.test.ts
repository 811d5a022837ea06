import { EventEmitter, once } from 'node:events';
import type { ServerHttp2Session } from 'node:http2';
import t from 'tap';
import { leaveSession } from '../../dist/worker/session-farewell.js';

class Session extends EventEmitter {
  destroyed = false;
  closed = false;
  closings = 0;

  close() {
    this.closed = true;
    this.closings += 1;
    this.emit('left');
  }

  get session(): ServerHttp2Session {
    return this as unknown as ServerHttp2Session;
  }
}

t.test('it is left right after a stream has begun, and those that came with it', async (t) => {
  const session = new Session();
  leaveSession(session.session, 60_000);
  session.emit('stream');
  t.equal(session.closings, 0, 'another stream of the same piece is not refused');
  session.emit('stream');
  await once(session, 'left');
  session.emit('stream');
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(session.closings, 1);
  t.equal(session.listenerCount('stream'), 0);
});

t.test('where no stream comes it is left all the same', async (t) => {
  const session = new Session();
  leaveSession(session.session, 1);
  const alive = setTimeout(() => {}, 60_000);
  await once(session, 'left');
  clearTimeout(alive);
  t.equal(session.listenerCount('stream'), 0);
});

t.test('one that is gone by then is left alone', async (t) => {
  const session = new Session();
  leaveSession(session.session, 60_000);
  session.destroyed = true;
  session.emit('stream');
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(session.closings, 0);
});
