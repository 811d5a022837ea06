import t from 'tap';
import { socketConstants } from '../../src/native/constants.js';

t.test('knows the numbers of Linux, macOS and FreeBSD', async (t) => {
  const table = [
    ['linux', 'x64', { AF_INET6: 10, SOL_SOCKET: 1, SO_REUSEADDR: 2, SO_REUSEPORT: 15 }],
    ['linux', 'arm64', { AF_INET6: 10, SOL_SOCKET: 1, SO_REUSEADDR: 2, SO_REUSEPORT: 15 }],
    ['darwin', 'arm64', { AF_INET6: 30, SOL_SOCKET: 0xffff, SO_REUSEADDR: 4, SO_REUSEPORT: 0x200 }],
    ['freebsd', 'x64', { AF_INET6: 28, SOL_SOCKET: 0xffff, SO_REUSEADDR: 4, SO_REUSEPORT: 0x10000 }],
  ] as const;
  for (const [platform, arch, expected] of table)
    t.match(socketConstants(platform, arch), expected, `${platform} ${arch}`);
});

t.test('does not guess the numbers of a system that it does not know', async (t) => {
  for (const [platform, arch] of [
    ['linux', 'mips'],
    ['sunos', 'x64'],
    ['win32', 'x64'],
  ] as const) {
    t.equal(socketConstants(platform, arch), undefined, `${platform} ${arch}`);
  }
});
