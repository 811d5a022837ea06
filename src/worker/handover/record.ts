/**
 * What two workers say to each other while one hands its connections to the other: records of one length, so that each read
 * of the channel is one record with its handle. Pure.
 */

/** libuv reads up to 32 handles in a turn where each comes with a read of its own: the reader's buffer has this length. */
export const RECORD_BYTES = 32;
/** Of the application's own state for a connection, in one record. */
export const STATE_BYTES = RECORD_BYTES - 2;

export type Message =
  /** The first word of either end; `able` tells the sender that it may begin. */
  | { readonly type: 'hello'; readonly able: boolean }
  /** Comes with the connection's handle. */
  | {
      readonly type: 'give';
      readonly id: number;
      /** Which of the addresses that both know. */
      readonly address: number;
      /** How long the client was promised that the silent connection stays open; 0 for no promise. */
      readonly keepAliveMs: number;
      /** The client has said nothing yet. */
      readonly fresh: boolean;
      /** How many bytes of the application's state follow; null where the connection is HTTP. */
      readonly stateBytes: number | null;
    }
  /** A piece of the state of the connection given last. */
  | { readonly type: 'state'; readonly bytes: Buffer }
  /** From now on the connection is the receiver's. */
  | { readonly type: 'took'; readonly id: number }
  /** The connection stays with the sender. `leaving`: and so will all others, for the receiver drains itself. */
  | { readonly type: 'refused'; readonly id: number; readonly leaving: boolean };

const CODES = { hello: 0x48, give: 0x47, state: 0x53, took: 0x54, refused: 0x4e } as const;
const NO_STATE = 0xffff_ffff;
const LONGEST_MS = 0xffff_ffff;

export function encode(message: Message): Buffer {
  const record = Buffer.alloc(RECORD_BYTES);
  record[0] = CODES[message.type];
  switch (message.type) {
    case 'hello':
      record[1] = Number(message.able);
      break;
    case 'give':
      record[1] = Number(message.fresh);
      record.writeUInt16LE(message.address, 2);
      record.writeUInt32LE(message.id, 4);
      record.writeUInt32LE(Math.min(LONGEST_MS, Math.max(0, Math.round(message.keepAliveMs))), 8);
      record.writeUInt32LE(message.stateBytes ?? NO_STATE, 12);
      break;
    case 'state':
      record[1] = message.bytes.length;
      message.bytes.copy(record, 2);
      break;
    case 'took':
      record.writeUInt32LE(message.id, 4);
      break;
    case 'refused':
      record[1] = Number(message.leaving);
      record.writeUInt32LE(message.id, 4);
      break;
  }
  return record;
}

/** @returns undefined for what is no record of these */
export function decode(record: Buffer): Message | undefined {
  const flag = record[1] === 1;
  switch (record[0]) {
    case CODES.hello:
      return { type: 'hello', able: flag };
    case CODES.give: {
      const stateBytes = record.readUInt32LE(12);
      return {
        type: 'give',
        id: record.readUInt32LE(4),
        address: record.readUInt16LE(2),
        keepAliveMs: record.readUInt32LE(8),
        fresh: flag,
        stateBytes: stateBytes === NO_STATE ? null : stateBytes,
      };
    }
    case CODES.state:
      // Copied: the buffer is read into again.
      return { type: 'state', bytes: Buffer.from(record.subarray(2, 2 + Math.min(STATE_BYTES, record[1] ?? 0))) };
    case CODES.took:
      return { type: 'took', id: record.readUInt32LE(4) };
    case CODES.refused:
      return { type: 'refused', id: record.readUInt32LE(4), leaving: flag };
    default:
      return undefined;
  }
}

/** The pieces in which a state travels. */
export function* pieces(state: Buffer): Generator<Message> {
  for (let at = 0; at < state.length; at += STATE_BYTES) {
    yield { type: 'state', bytes: state.subarray(at, at + STATE_BYTES) };
  }
}
