/**
 * Finds out what this machine can do, by doing it. Called once at start, and by `holdfast doctor`; what comes out is
 * plain data. Must not conclude anything from the name of a platform or a version of Node.
 */

import { getSystemErrorName } from 'node:util';
import { loadNative, type Native, type NativeLoad } from '../native/libc.js';
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
/** Two sockets both get some of these in seven cases of eight. */
const TOGETHER = 4;
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
    return await tryConnections(sockets, first.port, native);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    for (const { handle } of sockets) handle.close();
  }
}

/** Some systems let two sockets have one port and then give all connections to one of them. */
async function tryConnections(
  sockets: readonly BoundSocket[],
  port: number,
  native: NativeLoad,
): Promise<string | null> {
  const reached = new Set<BoundSocket>();
  let onArrival = () => {};
  for (const socket of sockets) {
    socket.handle.onconnection = (_status, client) => {
      reached.add(socket);
      client?.close();
      onArrival();
    };
  }
  const timeout = native.ok ? null : AbortSignal.timeout(CONNECTIONS_TIMEOUT_MS);
  const arrivals = (act: () => void) => {
    onArrival = act;
  };
  for (let count = 0; count < MAX_CONNECTIONS && reached.size < sockets.length; count += native.ok ? TOGETHER : 1) {
    const fault = await (native.ok
      ? connectTogether(native.native, port, arrivals)
      : connectOnce(port, timeout as AbortSignal));
    if (fault !== null) return `a connection to ${LOOPBACK.host} failed: ${fault}`;
  }
  return reached.size === sockets.length ? null : 'the system does not spread connections over the sockets';
}

/**
 * Some at a time, by libc: a start waits for this, and a first connection by node:net takes it as long as all the rest of the
 * probing. Resolves when as many have come.
 */
async function connectTogether(
  native: Native,
  port: number,
  arrivals: (act: () => void) => void,
): Promise<string | null> {
  const fds: number[] = [];
  let timer: NodeJS.Timeout | undefined;
  try {
    let missing = TOGETHER;
    const haveCome = new Promise<boolean>((resolve) => {
      arrivals(() => {
        missing -= 1;
        if (missing === 0) resolve(true);
      });
      timer = setTimeout(resolve, CONNECTIONS_TIMEOUT_MS, false);
    });
    while (fds.length < TOGETHER) fds.push(native.connectLoopback(port));
    return (await haveCome) ? null : `it has not arrived in ${CONNECTIONS_TIMEOUT_MS / 1000} s`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    clearTimeout(timer);
    for (const fd of fds) native.close(fd);
  }
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
