/**
 * What node:cluster and Node's own channel say in a worker, checked before Node's listeners in this process see it: they
 * believe all of it. Pure; called by the worker's channel.
 */
import { isIP } from 'node:net';
import { Mismatch, oneOf, type Reader, text, whole } from './message-shape.js';

/** A path of a unix socket has 108 bytes at most; Node makes a key of it, of numbers and of colons. */
const ADDRESS_CHARACTERS = 256;
const KEY_CHARACTERS = 512;

export interface Query {
  readonly act: 'queryServer';
  readonly seq: number;
  /** As node:cluster makes it of the rest. */
  readonly key: string;
  /** Of this process, as the application sees it. */
  readonly fd: number | null;
}

export type ClusterMessage =
  | Query
  | { readonly act: 'close'; readonly key: string }
  | { readonly act: 'exitedAfterDisconnect'; readonly seq: number }
  /** News of a server that node:cluster looks after. */
  | { readonly act: 'listening' }
  /** The answer to what has been sent to the worker under this number. */
  | { readonly ack: number };

const number = whole(0, Number.MAX_SAFE_INTEGER);
const addressTypes = oneOf(-1, 4, 6, 'udp4', 'udp6');

/**
 * @returns null for what needs no answer and changes nothing: news, and what other versions of Node may say
 * @throws Mismatch
 */
export function readClusterMessage(message: object): ClusterMessage | null {
  const { act, ack, seq, key } = message as Readonly<Record<string, unknown>>;
  if (ack !== undefined) return { ack: number(ack, 'ack') };
  switch (act) {
    case 'queryServer':
      return query(message as Readonly<Record<string, unknown>>);
    case 'close':
      return { act, key: text(KEY_CHARACTERS)(key, 'close.key') };
    case 'listening':
      return listening(message as Readonly<Record<string, unknown>>);
    case 'exitedAfterDisconnect':
      return { act, seq: number(seq, `${act}.seq`) };
    default:
      return null;
  }
}

function query({
  seq,
  index,
  address,
  port,
  addressType,
  fd,
  flags,
  backlog,
}: Readonly<Record<string, unknown>>): Query {
  const type = given(addressTypes)(addressType, 'queryServer.addressType');
  const host = given(text(ADDRESS_CHARACTERS))(address, 'queryServer.address');
  // Node would look a name up here, and goes wrong where the worker leaves meanwhile.
  if (type !== -1 && host !== null && host !== '' && isIP(host) === 0) {
    throw new Mismatch('queryServer.address must be an IP address');
  }
  if (type === -1 && !host) throw new Mismatch('queryServer.address must be a path');
  const number32 = whole(-(2 ** 31), 2 ** 31 - 1);
  given(whole(-1, 65_535))(port, 'queryServer.port');
  given(number32)(flags, 'queryServer.flags');
  // `listen(port)` without one has Node send false.
  if (backlog !== false) given(number32)(backlog, 'queryServer.backlog');
  number(index, 'queryServer.index');
  const descriptor = given(number32)(fd, 'queryServer.fd');
  const key = `${address}:${port}:${addressType}:${fd}:${index}`;
  return { act: 'queryServer', seq: number(seq, 'queryServer.seq'), key, fd: descriptor === -1 ? null : descriptor };
}

function listening({ address, port, addressType, fd }: Readonly<Record<string, unknown>>): ClusterMessage {
  given(addressTypes)(addressType, 'listening.addressType');
  given(text(ADDRESS_CHARACTERS))(address, 'listening.address');
  given(whole(-1, 65_535))(port, 'listening.port');
  given(whole(-(2 ** 31), 2 ** 31 - 1))(fd, 'listening.fd');
  return { act: 'listening' };
}

/** Node leaves out what does not apply, or has null there. */
function given<T>(reader: Reader<T>): Reader<T | null> {
  return (value, at) => (value === undefined || value === null ? null : reader(value, at));
}
