/**
 * Finds out what this machine can do, by doing it. Called once at start, and by `holdfast doctor`; what comes out is
 * plain data. Must not conclude anything from the name of a platform or a version of Node.
 */

import { getSystemErrorName } from 'node:util';
import { loadNative, type NativeLoad } from '../native/libc.js';
import { type BoundSocket, bindSocket } from '../sockets/bind/bind.js';
import { steeringProgram } from '../sockets/program.js';
import { connectUntil } from './connect.js';

export interface Capabilities {
  /** For people to read, as in `process.platform` and `process.version`. */
  readonly platform: string;
  readonly nodeVersion: string;
  readonly koffi: { readonly ok: boolean; readonly reason: string };
  readonly reusePort: ReusePortCapability;
  /** Whether a program can pick the socket of a reuse-port group. */
  readonly steering: { readonly supported: boolean; readonly reason: string };
}

export interface ReusePortCapability {
  readonly supported: boolean;
  /** Who sets the option: Node by its own flag, or we through libc. null if it is not supported. */
  readonly how: 'node' | 'native' | null;
  readonly reason: string;
}

const LOOPBACK = { host: '127.0.0.1', family: 4, ipv6Only: false, ordinal: 0 } as const;
/** If they are spread evenly, all of these go to the same one of two sockets once in 2^63 times. */
const MAX_CONNECTIONS = 64;
const CONNECTIONS_TIMEOUT_MS = 2000;

/** Opens a few sockets on loopback for some milliseconds; never rejects. */
export async function probe(native: NativeLoad = loadNative()): Promise<Capabilities> {
  return {
    platform: process.platform,
    nodeVersion: process.version,
    koffi: native.ok ? { ok: true, reason: 'koffi is loaded' } : { ok: false, reason: native.reason },
    reusePort: await probeReusePort(native),
    steering: probeSteering(native),
  };
}

/** The kernel takes the program; that it also goes by it is for `holdfast doctor` to see. */
function probeSteering(load: NativeLoad): Capabilities['steering'] {
  if (!load.ok) return { supported: false, reason: load.reason };
  const { native } = load;
  let fd: number | undefined;
  try {
    fd = native.openTcpSocket(4, { reusePort: true });
    native.attachReusePortProgram(fd, steeringProgram({ kind: 'random', weights: [1] }));
    return { supported: true, reason: 'the kernel takes a program that picks the socket' };
  } catch (error) {
    return { supported: false, reason: error instanceof Error ? error.message : String(error) };
  } finally {
    if (fd !== undefined) native.close(fd);
  }
}

async function probeReusePort(native: NativeLoad): Promise<ReusePortCapability> {
  const byNode = await tryReusePort('node', native);
  if (byNode === null) return { supported: true, how: 'node', reason: 'Node sets SO_REUSEPORT itself' };
  if (!native.ok) return { supported: false, how: null, reason: `by Node: ${byNode}; by libc: ${native.reason}` };
  const byLibc = await tryReusePort('native', native);
  if (byLibc === null) {
    return { supported: true, how: 'native', reason: 'SO_REUSEPORT is set through libc, as Node does not set it' };
  }
  return { supported: false, how: null, reason: `by Node: ${byNode}; by libc: ${byLibc}` };
}

/** Whatever goes wrong is the answer. @returns why it does not work; null if it does */
async function tryReusePort(how: 'node' | 'native', native: NativeLoad): Promise<string | null> {
  const sockets: BoundSocket[] = [];
  try {
    const first = bindSocket({ ...LOOPBACK, port: 0 }, how, native);
    sockets.push(first);
    sockets.push(bindSocket({ ...LOOPBACK, port: first.port }, how, native));
    for (const { handle } of sockets) {
      // A Node that ignores the option binds both: they get in each other's way only here.
      const errno = handle.listen(MAX_CONNECTIONS);
      if (errno !== 0) return `a second socket cannot listen on the same port, ${getSystemErrorName(errno)}`;
    }
    return await tryConnections(sockets, first.port);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    for (const { handle } of sockets) handle.close();
  }
}

/** Some systems let two sockets have one port and then give all connections to one of them. */
async function tryConnections(sockets: readonly BoundSocket[], port: number): Promise<string | null> {
  const reached = new Set<BoundSocket>();
  for (const socket of sockets) {
    socket.handle.onconnection = (_status, client) => {
      reached.add(socket);
      client?.close();
    };
  }
  const timeout = AbortSignal.timeout(CONNECTIONS_TIMEOUT_MS);
  for (let count = 0; count < MAX_CONNECTIONS && reached.size < sockets.length; count += 1) {
    const fault = await connectOnce(port, timeout);
    if (fault !== null) return `a connection to ${LOOPBACK.host} failed: ${fault}`;
  }
  return reached.size === sockets.length ? null : 'the system does not spread connections over the sockets';
}

/** Resolves when the other side has closed. */
function connectOnce(port: number, signal: AbortSignal): Promise<string | null> {
  return new Promise((resolve) => {
    let fault: string | null = null;
    const socket = connectUntil(signal, { host: LOOPBACK.host, port });
    socket.on('error', (error) => {
      fault = error.message;
    });
    socket.on('close', () => resolve(fault));
    socket.resume();
  });
}
