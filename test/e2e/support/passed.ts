/** Starts a supervisor with sockets that somebody else has opened, as systemd does: sd_listen_fds(3). */
import { isIPv6 } from 'node:net';
import type { Test } from 'tap';
import { bindPath, bindUdp, type SharedHandle } from '../../../src/sockets/bind/shared-bind.js';
import { nativeOf } from '../../fixtures/sockets/support.js';

export interface Passed {
  /** As in LISTEN_FDNAMES. */
  readonly name: string;
  readonly fd: number;
}

/** For `Holdfast`: the process that it starts is the one for which they are. */
export function passing(passed: readonly Passed[]) {
  const names = passed.map(({ name }) => name).join(':');
  const variables = `LISTEN_PID=$$ LISTEN_FDS=${passed.length} 'LISTEN_FDNAMES=${names}'`;
  // In place of the `env -i` of the command, which would clear them.
  const wrapper = ['sh', '-c', `shift 2; exec env -i ${variables} "$@"`, 'sh'];
  return { wrapper, fds: passed.map(({ fd }) => fd) };
}

/** Listens, and accepts nothing; open until the end of the test. */
export function openUnix(t: Test, path: string): number {
  const { fd } = held(t, bindPath('unix', { kind: 'unix', path, umask: 0, readableAll: false, writableAll: false }));
  nativeOf().listen(fd, 100);
  return fd;
}

export function openUdp(t: Test, port: number, host = '127.0.0.1'): number {
  const family = isIPv6(host) ? 6 : 4;
  const request = { kind: 'udp', host, port, family, ipv6Only: false, reuseAddr: false } as const;
  return held(t, bindUdp('udp', request)).fd;
}

function held(t: Test, handle: SharedHandle): SharedHandle {
  t.teardown(() => handle.close());
  return handle;
}
