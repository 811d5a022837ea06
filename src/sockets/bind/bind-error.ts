/** The one error of binding: for a person by its message and hint, for a worker's reply by its errno. */
import os from 'node:os';
import { getSystemErrorMap, getSystemErrorName } from 'node:util';
import { HoldfastError } from '../../errors.js';
import { formatAddress } from '../address/address.js';
import type { Owner } from '../address/owner.js';

/** Negative errnos, as libuv counts them. */
export const EADDRINUSE = -os.constants.errno.EADDRINUSE;
export const EACCES = -os.constants.errno.EACCES;
export const ECANCELED = -os.constants.errno.ECANCELED;
export const ENOTSUP = -os.constants.errno.ENOTSUP;

/** Lowest port that needs no privilege, by long custom and by Linux's `ip_unprivileged_port_start`. */
const FIRST_FREE_PORT = 1024;

interface BindErrorOptions {
  /** Who holds the address, if that is known. */
  readonly owner?: Owner | null;
  /** Stands in place of the errno's name and text. */
  readonly reason?: string;
  readonly cause?: unknown;
  /** Another socket of this custody was in the way at that moment. */
  readonly isOurs?: boolean;
  /** Stands in place of the usual next step. */
  readonly hint?: string | undefined;
}

/** `code` is the errno's name: EADDRINUSE, EACCES, EADDRNOTAVAIL, … */
export class BindError extends HoldfastError {
  /** Negative, as libuv counts them. */
  readonly errno: number;
  /** Who holds the address, as far as that was known. */
  readonly owner: Owner | null;
  /** Another socket of this custody was in the way: it may have gone since. */
  readonly isOurs: boolean;

  /** @param address its name where it is no TCP */
  constructor(
    address: { readonly host: string | null; readonly port: number } | string,
    errno: number,
    options: BindErrorOptions = {},
  ) {
    const code = getSystemErrorName(errno);
    const reason = options.reason ?? inUse(options.owner) ?? describe(errno, code);
    const isNamed = typeof address === 'string';
    const name = isNamed ? address : formatAddress(address.host, address.port);
    super(code, `cannot listen on ${name}: ${reason}`, {
      hint: options.hint ?? hint(code, isNamed ? null : address.port),
      cause: options.cause,
    });
    this.name = 'BindError';
    this.errno = errno;
    this.owner = options.owner ?? null;
    this.isOurs = options.isOurs ?? false;
  }
}

function describe(errno: number, code: string): string {
  const text = getSystemErrorMap().get(errno)?.[1];
  return text === undefined ? code : `${code} (${text})`;
}

function inUse(owner: Owner | null | undefined): string | undefined {
  if (owner === null || owner === undefined) return undefined;
  if (owner.pid === null) return `EADDRINUSE, already in use by a process of user ${owner.uid}`;
  return `EADDRINUSE, already in use by PID ${owner.pid}${owner.command === null ? '' : ` (${owner.command})`}`;
}

function hint(code: string, port: number | null): string | undefined {
  // What helps with ports is of no use for another kind.
  if (port === null) return code === 'EADDRINUSE' ? 'stop who uses it, or choose another one' : undefined;
  switch (code) {
    case 'EADDRINUSE':
      return 'stop that process, choose another port, or wait until the port is free with --bind-timeout';
    case 'EACCES':
      return port < FIRST_FREE_PORT
        ? 'use a port above 1023 or give the process CAP_NET_BIND_SERVICE'
        : 'a security policy of this system forbids it';
    case 'EADDRNOTAVAIL':
      return 'the host must be an address of this machine; 0.0.0.0 and :: stand for all of them';
    case 'EMFILE':
      return 'raise the limit of open files (ulimit -n, or LimitNOFILE= in a systemd unit)';
    default:
      return undefined;
  }
}
