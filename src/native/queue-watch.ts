/**
 * Tells which listening sockets have connections waiting, and when the first one comes: epoll(7) of Linux, by way of
 * libc. Waiting costs nothing: a thread of libuv's pool sleeps in the kernel.
 *
 * Not poll(2): while it sleeps it would hold every socket, and one that is closed meanwhile would go on to listen.
 */
import os from 'node:os';
import type koffi from 'koffi';

export interface QueueWatch {
  add(fd: number): void;
  /** To be called before the socket is closed: who else holds a duplicate of it would keep it watched. */
  remove(fd: number): void;
  /** Those that have connections waiting now. */
  ready(): number[];
  /**
   * Resolves with true when there is one, with false after WAIT_MS or `close`. One call at a time. Never rejects.
   */
  wait(): Promise<boolean>;
  /** Wakes who waits; a second time it does nothing. No other method may be called afterwards. */
  close(): void;
}

/** What a process that ends without `close` may have to wait for the sleeping thread. */
const WAIT_MS = 1_000;
const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLLIN = 1;
const EFD_CLOEXEC = 0o2000000;
const EFD_NONBLOCK = 0o4000;
/** `struct epoll_event` is packed on x86-64 alone: Linux `include/uapi/linux/eventpoll.h`. */
const DATA_OFFSET = process.arch === 'x64' ? 4 : 8;
const EVENT_BYTES = DATA_OFFSET + 8;
const LITTLE_ENDIAN = os.endianness() === 'LE';
/** How many sockets are told at once; who is left over is told the next time. */
const MAX_EVENTS = 256;

/** @param check throws for a negative result of the system call that it names */
export function openQueueWatch(
  libc: ReturnType<typeof koffi.load>,
  check: (result: number, task: string, syscall: string) => number,
): QueueWatch {
  const epollCreate = libc.func('int epoll_create1(int flags)');
  const epollCtl = libc.func('int epoll_ctl(int epfd, int op, int fd, void *event)');
  const epollWait = libc.func('int epoll_wait(int epfd, void *events, int max, int timeout)');
  const eventFd = libc.func('int eventfd(unsigned int initial, int flags)');
  const write = libc.func('long write(int fd, const void *buffer, unsigned long length)');
  const closeFd = libc.func('int close(int fd)');

  const task = 'watch the accept queues';
  const epfd = check(epollCreate(EPOLL_CLOEXEC), task, 'epoll_create1');
  const waker = eventFd(0, EFD_CLOEXEC | EFD_NONBLOCK) as number;
  if (waker < 0) closeFd(epfd);
  check(waker, task, 'eventfd');
  const events = new DataView(new ArrayBuffer(EVENT_BYTES * MAX_EVENTS));
  /** For the sleeping thread alone. */
  const slept = new Uint8Array(EVENT_BYTES);
  let waiting = false;
  let closed = false;

  function control(operation: number, fd: number): void {
    const event = new DataView(new ArrayBuffer(EVENT_BYTES));
    event.setUint32(0, EPOLLIN, LITTLE_ENDIAN);
    event.setInt32(DATA_OFFSET, fd, LITTLE_ENDIAN);
    check(epollCtl(epfd, operation, fd, event), task, 'epoll_ctl');
  }

  function ready(): number[] {
    const count = epollWait(epfd, events, MAX_EVENTS, 0) as number;
    const fds: number[] = [];
    for (let i = 0; i < count; i++) {
      const fd = events.getInt32(i * EVENT_BYTES + DATA_OFFSET, LITTLE_ENDIAN);
      if (fd !== waker) fds.push(fd);
    }
    return fds;
  }

  function wait(): Promise<boolean> {
    waiting = true;
    return new Promise((resolve) => {
      epollWait.async(epfd, slept, 1, WAIT_MS, (_error: unknown, count: number) => {
        waiting = false;
        if (closed) end();
        resolve(count > 0 && !closed);
      });
    });
  }

  function close(): void {
    if (closed) return;
    closed = true;
    // A number that is closed under a sleeping thread might be somebody else's before it wakes.
    if (waiting) write(waker, new BigUint64Array([1n]), 8);
    else end();
  }

  function end(): void {
    closeFd(waker);
    closeFd(epfd);
  }

  control(EPOLL_CTL_ADD, waker);
  return {
    add: (fd) => control(EPOLL_CTL_ADD, fd),
    remove: (fd) => control(EPOLL_CTL_DEL, fd),
    ready,
    wait,
    close,
  };
}
