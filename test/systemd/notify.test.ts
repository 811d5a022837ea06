import os from 'node:os';
import t from 'tap';
import { type Native, NativeError } from '../../src/native/libc.js';
import { openNotifier } from '../../src/systemd/notify.js';

/** A system whose receiver lags behind for as many messages as `busy` says; it counts what is open. */
function system(failures: number[] = []) {
  const sent: string[] = [];
  const open = new Set<number>();
  let last = 100;
  const native = {
    duplicate(fd: number) {
      last += 1;
      open.add(last);
      sent.push(`${last} is ${fd}`);
      return last;
    },
    close: (fd: number) => void open.delete(fd),
    openDatagrams: () => ({
      send(payload: Uint8Array, fds: readonly number[] = []) {
        const errno = failures.shift();
        if (errno !== undefined) throw new NativeError('send', 'sendmsg', -errno);
        sent.push([String(Buffer.from(payload)).replaceAll('\n', ' '), ...fds].join(' '));
      },
      close: () => {},
    }),
  } as unknown as Native;
  return { sent, open, load: { ok: true, native } as const };
}

const { EAGAIN, ECONNREFUSED } = os.constants.errno;

t.test('what is sent late keeps its order, and a file descriptor of its own until then', async (t) => {
  const { sent, open, load } = system([EAGAIN, EAGAIN]);
  const notifier = openNotifier('/run/x', load, (reason) => t.fail(reason));
  notifier.send(['FDSTORE=1', 'FDNAME=a'], [7]);
  notifier.send(['READY=1']);
  t.same(sent.splice(0), ['101 is 7']);
  t.equal(open.size, 1);
  await notifier.close();
  t.same(sent, ['FDSTORE=1 FDNAME=a 101', 'READY=1']);
  t.equal(open.size, 0);
});

t.test('a receiver that has gone is told of once, and the next message is tried again', async (t) => {
  const { sent, open, load } = system([ECONNREFUSED, ECONNREFUSED]);
  const reasons: string[] = [];
  const notifier = openNotifier('/run/x', load, (reason) => void reasons.push(reason));
  for (const line of ['A=1', 'B=1', 'C=1']) notifier.send([line], [7]);
  await notifier.close();
  t.match(reasons, [/ECONNREFUSED/]);
  t.equal(reasons.length, 1);
  t.equal(sent.at(-1), 'C=1 103');
  t.equal(open.size, 0);
});

t.test('a receiver that is stuck holds nobody up for ever, and nothing stays open', async (t) => {
  const { open, load } = system(new Array(10_000).fill(EAGAIN));
  const notifier = openNotifier('/run/x', load, (reason) => t.fail(reason));
  notifier.send(['FDSTORE=1'], [7]);
  await notifier.close();
  t.equal(open.size, 0);
});
