/**
 * The place at which Node binds. `exclusive: true` and `reusePort: true` make Node bind past its cluster, without a word. What they ask for, a socket that
 * nobody else accepts on, is what every worker gets here anyway: such a server listens by the way of all others.
 */
import fs from 'node:fs';
import { Server } from 'node:net';
import os from 'node:os';
import { idle, refusalOf } from '../node/handle.js';
import { type Access, accessOf } from './paths.js';

type Bind = (
  this: Server & { _handle: object | null },
  address: string | null,
  port: number,
  addressType: number,
  backlog: number | undefined,
  fd: number | null | undefined,
  flags: number | undefined,
) => void;

// Before anybody replaces it.
const { writeSync } = fs;
const STDERR = 2;
const IPV6_ONLY = 1;
const PATH = -1;

/** @throws where this Node has no such place */
export function shareExclusive(): void {
  const prototype = Server.prototype as unknown as { _listen2?: Bind; listen: (options: object) => Server };
  const { _listen2: bind, listen } = prototype;
  if (typeof bind !== 'function') throw new Error('this version of Node is not known: Server._listen2 is missing');
  prototype._listen2 = function listenInCluster(address, port, addressType, backlog, fd, flags = 0) {
    // What comes from the cluster, or from the application, has a handle by now.
    if (this._handle || (typeof fd === 'number' && fd >= 0)) {
      const errno = this._handle ? refusalOf(this._handle) : undefined;
      const named = errno === undefined || addressType === PATH ? address : (address ?? anyAddress(errno));
      bind.call(this, named, port, addressType, backlog, fd, flags);
      return;
    }
    if (addressType === PATH) {
      heedAccess(this, (access) => listen.call(this, { path: address, backlog, ...access }));
      return;
    }
    const where = { port, ...(address && { host: address }), ipv6Only: (flags & IPV6_ONLY) !== 0 };
    listen.call(this, { ...where, backlog });
  };
}

/** Who may use the path besides its owner, Node says right after this, and to nobody but the handle: it has one until then. */
function heedAccess(server: { _handle: object | null }, listen: (access: Access) => void): void {
  let access: Access | undefined;
  const handle = {
    ...idle(),
    fchmod(mode: number) {
      access = accessOf(mode);
      return 0;
    },
  };
  server._handle = handle;
  process.nextTick(() => {
    // The application may have closed it.
    if (server._handle !== handle) return;
    server._handle = null;
    listen(access ?? accessOf(0));
  });
}

/** As Node has it in an error: without IPv6 it tries IPv4; that a port is taken it hears where it has bound already. */
function anyAddress(errno: number): string {
  return errno === -os.constants.errno.EADDRINUSE ? '::' : '0.0.0.0';
}

/**
 * In a thread: it binds past its cluster as well, and only one of several workers gets the port. The error is the application's
 * affair; what it means is told.
 */
export function tellOfThreads(): void {
  const prototype = Server.prototype as unknown as { _listen2?: Bind };
  const { _listen2: bind } = prototype;
  if (typeof bind !== 'function') return;
  prototype._listen2 = function listenInThread(...where) {
    bind.apply(this, where);
    if (this._handle) return;
    tell(
      'a server in a worker thread listens past holdfast, and of several workers only one gets the port: have the main thread listen, and pass the work on to the threads',
    );
  };
}

/** Past the streams of the thread: what is in those is lost where the error ends the process. */
function tell(text: string): void {
  try {
    writeSync(STDERR, `${text}\n`);
  } catch {
    // Nobody reads it.
  }
}
