/** The flags of `holdfast unit` that are not those of `start`: what they may be, and what they come to. */
import { isIP } from 'node:net';
import path from 'node:path';
import { EXIT, HoldfastError } from '../../errors.js';
import type { SocketAddress } from '../../systemd/unit.js';
import { flagText, type Invocation } from '../process/context.js';

export interface UnitFlags {
  /** null: not given. */
  readonly user: string | null;
  readonly group: string | null;
  /** Empty for no socket unit. */
  readonly listen: readonly SocketAddress[];
  readonly writable: readonly string[];
  readonly privilegedPorts: boolean;
  readonly systemd: number | null;
  /** Folder to write to; null for standard output. */
  readonly output: string | null;
}

/** What systemd takes for a user: see "User/Group Name Syntax" of systemd. */
const USER = /^(?:[A-Za-z_][A-Za-z0-9_.-]{0,30}\$?|\d{1,10})$/;

/** `sizeof(sun_path)`, with its end: unix(7). */
const PATH_BYTES = 108;

/** @throws HoldfastError USAGE, exit code 2 */
export function readUnitFlags(invocation: Invocation, cwd: string): UnitFlags {
  const list = (flag: string) => [invocation.flags[flag] ?? []].flat().map(String);
  const output = flagText(invocation, 'output');
  return {
    user: userOf(invocation, 'user'),
    group: userOf(invocation, 'group'),
    listen: list('socket').map(socketAddress),
    writable: list('writable').map((folder) => path.resolve(cwd, folder)),
    privilegedPorts: invocation.flags['privileged-ports'] === true,
    systemd: version(flagText(invocation, 'systemd-version')),
    output: output === undefined ? null : path.resolve(cwd, output),
  };
}

function userOf(invocation: Invocation, flag: string): string | null {
  const name = flagText(invocation, flag);
  if (name === undefined) return null;
  if (!USER.test(name)) throw wrong(`--${flag} ${name}`, 'it is not the name of a user or group', 'a name or a number');
  return name;
}

function version(text: string | undefined): number | null {
  if (text === undefined) return null;
  if (!/^[1-9]\d{1,3}$/.test(text)) {
    throw wrong(`--systemd-version ${text}`, 'it must be a number', 'systemctl --version begins with it');
  }
  return Number(text);
}

/**
 * `80` and `*:80` are every address of both families, `127.0.0.1:80` and `[::1]:80` are one; `/run/shop.sock` and `@shop` are unix
 * sockets. With `udp:` in front it is a port for datagrams: of every address of IPv4 where none is given, because an application
 * that speaks IPv4 can do nothing with one of IPv6.
 */
function socketAddress(text: string): SocketAddress {
  const isUnix = /^(?:\/.*[^/]|@.+)$/.test(text);
  if (isUnix && Buffer.byteLength(text) < PATH_BYTES) return { setting: 'ListenStream', address: text };
  const isUdp = text.startsWith('udp:');
  const [, host, port] = /^(?:(.+):)?(\d{1,5})$/.exec(isUdp ? text.slice(4) : text) ?? [];
  const number = Number(port);
  const bare = host?.replace(/^\[(.*)\]$/, '$1') ?? '*';
  const isWritten = bare === '*' || (isIP(bare) === 6 ? host !== bare : isIP(bare) === 4 && host === bare);
  if (isUnix || port === undefined || number < 1 || number > 65_535 || !isWritten) {
    const hint = '80, 127.0.0.1:8080, [::1]:8080, /run/shop.sock or udp:53';
    const reason = isUnix
      ? 'the path of a socket is too long'
      : 'it is not a port, an IP address with a port, or a path';
    throw wrong(`--socket ${text}`, reason, hint);
  }
  const address = `${host}:${number}`;
  if (isUdp) return { setting: 'ListenDatagram', address: bare === '*' ? `0.0.0.0:${number}` : address };
  return { setting: 'ListenStream', address: bare === '*' ? String(number) : address };
}

function wrong(what: string, reason: string, hint: string): HoldfastError {
  return new HoldfastError('USAGE', `cannot use ${what}: ${reason}`, { hint, exitCode: EXIT.usage });
}
