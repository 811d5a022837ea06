/**
 * What a supervisor passes on to the one that takes its place by exec, as data in a file: what it keeps for any next one, and what
 * only an upgrade can pass on. Of one format with that, so that older and newer versions read each other's. Pure.
 */
import type { RestartRecord } from '../../protocol/control.js';
import type { ConnectionCounts } from '../../protocol/measured.js';
import { or, type Read, readState, type Snapshot, snapshot, writeSnapshot } from '../takeover/orphans/snapshot.js';
import {
  amount,
  list,
  nullOr,
  oneOf,
  type Reader,
  record,
  tally,
  text,
  whole,
} from '../workers/channel/message-shape.js';

/** Of the environment: where the file is. */
export const UPGRADE_VARIABLE = 'HOLDFAST_UPGRADE';
/** Behind the name of the supervisor. */
export const UPGRADE_SUFFIX = '.upgrade';
/** Its last log lines are in it. */
const LONGEST = 16 * 1024 * 1024;
const LONGEST_LINE = 1024 * 1024;
const LONGEST_WORD = 256 * 1024;
const MOST = 100_000;

/** How a version of holdfast is started. */
export interface OwnProgram {
  readonly node: string;
  readonly nodeArgs: readonly string[];
  /** Symbolic links resolved: the path that it was started by may lead to another version by now. */
  readonly script: string;
  /** That path. */
  readonly named: string;
  /** What follows it, `start` first. */
  readonly args: readonly string[];
}

/** Of a descriptor that stays open. */
export interface PassedSocket {
  readonly fd: number;
  /** As systemd's store has it: see `nameOf` in sockets/inherit.ts. Of one of a socket unit, the unit's. */
  readonly name: string;
}

export interface PassedControl {
  readonly fd: number;
  /** What it is called in the claim on the name. */
  readonly entry: string;
}

/** Of the admin address. */
export interface PassedAdmin {
  readonly fd: number;
  /** As the configuration had it. */
  readonly host: string | null;
  readonly port: number;
}

export interface PassedHandover {
  readonly handed: number;
  readonly refused: number;
  readonly takenBack: number;
  readonly stayed: Readonly<Record<string, number>>;
}

export interface PassedOn {
  /** Of this upgrade, for who waits for it. */
  readonly id: string;
  readonly version: string;
  readonly nodeVersion: string;
  /** Starts what passes it on once more, if the next one does not get up. */
  readonly program: OwnProgram;
  /** Why that has become necessary; null in what is passed on to a new version. */
  readonly failure: string | null;
  readonly sockets: readonly PassedSocket[];
  readonly control: PassedControl | null;
  readonly admin: PassedAdmin | null;
  readonly uptimeMs: number;
  readonly history: readonly RestartRecord[];
  /** Each is JSON. */
  readonly logs: readonly string[];
  readonly handover: PassedHandover;
  readonly cutOff: ConnectionCounts;
  /** What has been counted of the workers, and the last hour of them; checked by who goes on with it. */
  readonly observed: unknown;
}

export interface PassedState extends Snapshot {
  readonly upgrade: PassedOn;
}

const fd = whole(3, 2 ** 30);
const count = whole(0, Number.MAX_SAFE_INTEGER);
const words = list(text(LONGEST_WORD), MOST);
const program = record<OwnProgram>({
  node: text(LONGEST_WORD),
  nodeArgs: words,
  script: text(LONGEST_WORD),
  named: text(LONGEST_WORD),
  args: words,
});
const numbers = tally(1_000, 1_000);
const NO_HANDOVER: PassedHandover = { handed: 0, refused: 0, takenBack: 0, stayed: {} };

const passedOn = record<PassedOn>({
  id: text(64),
  version: or(text(64), ''),
  nodeVersion: or(text(64), ''),
  program,
  failure: or(nullOr(text(LONGEST_LINE)), null),
  sockets: or(list(record<PassedSocket>({ fd, name: text(8_192) }), MOST), []),
  control: or(nullOr(record<PassedControl>({ fd, entry: text(64) })), null),
  admin: or(nullOr(record<PassedAdmin>({ fd, host: nullOr(text(1_024)), port: whole(1, 65_535) })), null),
  uptimeMs: or(amount, 0),
  history: or(
    list(
      record<RestartRecord>({
        atMs: amount,
        what: oneOf('crashed', 'recycled', 'reloaded', 'rolledBack'),
        slot: nullOr(count),
        reason: text(LONGEST_LINE),
      }),
      1_000,
    ),
    [],
  ),
  logs: or(list(text(LONGEST_LINE), MOST), []),
  handover: or(
    record<PassedHandover>({
      handed: or(count, 0),
      refused: or(count, 0),
      takenBack: or(count, 0),
      stayed: or(numbers, {}),
    }),
    NO_HANDOVER,
  ),
  cutOff: or(numbers as Reader<ConnectionCounts>, {}),
  observed: or((value) => value, null),
});
const upgrade = record<{ readonly upgrade: PassedOn }>({ upgrade: passedOn });
const passed: Reader<PassedState> = (value, at) => ({ ...snapshot(value, at), ...upgrade(value, at) });

/** All that stay open. */
export function descriptorsOf({ sockets, control, admin }: Pick<PassedOn, 'sockets' | 'control' | 'admin'>): number[] {
  return [...sockets, ...[control, admin].filter((one) => one !== null)].map(({ fd }) => fd);
}

/** Never throws. */
export function readPassedState(written: string): Read<PassedState> {
  return readState(written, passed, LONGEST);
}

export function writePassedState(state: PassedState): string {
  return writeSnapshot(state);
}
