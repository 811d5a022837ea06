/**
 * Checks of the two socket options that everything rests on: SO_REUSEPORT, by two sockets that both get connections, and
 * SO_REUSEADDR, by a port that a connection in TIME_WAIT holds.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { NativeError } from '../../native/libc.js';
import { parseProcNetTcp } from '../../sockets/address/owner.js';
import { probe, type ReusePortCapability } from '../probe.js';
import { type Check, INSTALL_KOFFI, type Machine, reasonOf } from './check.js';
import { listenOnLoopback, visit } from './loopback.js';

export const reusePort: Check<ReusePortCapability> = {
  id: 'reusePort',
  title: 'SO_REUSEPORT',

  async collect({ native }) {
    return (await probe(native)).reusePort;
  },

  judge({ supported, reason }) {
    if (supported) {
      return {
        result: 'ok',
        found: `two sockets were bound to one port, and both got connections (${reason})`,
        meaning: 'each slot gets a socket and an accept queue of its own',
        remedy: null,
      };
    }
    return {
      result: 'missing',
      found: reason,
      meaning: 'all workers share one socket (listen mode reuseaddr): nothing is lost, but nothing is steered either',
      remedy: `use Linux, with Node 22.12 or later; or ${INSTALL_KOFFI}`,
    };
  },
};

export interface ReuseAddrFacts {
  /** Whether the system lists a connection in TIME_WAIT; null where it has no such list. */
  readonly timeWaitSeen: boolean | null;
  /** What binding without the option came to: refused by TIME_WAIT, not refused, or impossible to try. */
  readonly control: 'refused' | 'bound' | 'untried';
  /** Why the port could not be bound again with the option; null if it could. */
  readonly fault: string | null;
}

/** `include/net/tcp_states.h` of Linux. */
const TCP_TIME_WAIT = 6;
/** The port is free for others between two binds: one that a stranger took says nothing. */
const TRIES = 3;
/** The last packet of the connection may still be under way when both sides have closed. */
const LOOKS = 20;
const LOOK_MS = 5;

export const reuseAddr: Check<ReuseAddrFacts> = {
  id: 'reuseAddr',
  title: 'SO_REUSEADDR',

  async collect(machine, signal) {
    let facts = await rebind(machine, signal);
    for (let tries = 1; tries < TRIES && facts.fault !== null; tries += 1) facts = await rebind(machine, signal);
    return facts;
  },

  judge({ timeWaitSeen, control, fault }) {
    if (fault !== null) {
      return {
        result: 'missing',
        found: `a port whose connection is in TIME_WAIT cannot be bound again: ${fault}`,
        meaning: 'a start after a stop may have to wait for a minute until its port is free',
        remedy: 'run holdfast outside of the sandbox or emulation that does not honour SO_REUSEADDR',
      };
    }
    const meaning = 'connections of an earlier run never delay a start, and reuseaddr mode works';
    if (control === 'bound') {
      const found = 'a port whose connection has just ended was bound again, as it can be here even without the option';
      return { result: 'ok', found, meaning, remedy: null };
    }
    if (control === 'refused' || timeWaitSeen === true) {
      const refused = control === 'refused' ? '; without the option the same bind is refused' : '';
      return {
        result: 'ok',
        found: `a port whose connection is in TIME_WAIT was bound again${refused}`,
        meaning,
        remedy: null,
      };
    }
    return {
      result: 'unknown',
      found: 'a port was bound again, but nothing shows whether TIME_WAIT held it',
      meaning: `most likely ${meaning}`,
      remedy: `${INSTALL_KOFFI}: the counter-check needs it`,
    };
  },
};

async function rebind({ native, root }: Machine, signal: AbortSignal): Promise<ReuseAddrFacts> {
  const listening = listenOnLoopback(0, 1, null, native);
  const { port } = listening;
  try {
    await visit({ port, leave: 'timeWait', signal });
  } finally {
    listening.close();
  }
  const timeWaitSeen = await seesTimeWait(path.join(root, 'proc/net/tcp'), port, signal);
  return { timeWaitSeen, control: bindWithoutOption(native, port), fault: bindAgain(native, port) };
}

async function seesTimeWait(file: string, port: number, signal: AbortSignal): Promise<boolean | null> {
  for (let looks = 0; looks < LOOKS; looks += 1) {
    const text = await readFile(file, 'utf8').catch(() => null);
    if (text === null) return null;
    if (parseProcNetTcp(text).some((row) => row.port === port && row.state === TCP_TIME_WAIT)) return true;
    await delay(LOOK_MS, undefined, { signal });
  }
  return false;
}

/** Without the option nothing but TIME_WAIT can be in the way: nobody listens any longer. */
function bindWithoutOption(native: Machine['native'], port: number): ReuseAddrFacts['control'] {
  if (!native.ok) return 'untried';
  try {
    native.native.bindWithoutOptions(port);
    return 'bound';
  } catch (error) {
    return error instanceof NativeError && error.code === 'EADDRINUSE' ? 'refused' : 'untried';
  }
}

function bindAgain(native: Machine['native'], port: number): string | null {
  try {
    listenOnLoopback(port, 1, null, native).close();
    return null;
  } catch (error) {
    return reasonOf(error);
  }
}
