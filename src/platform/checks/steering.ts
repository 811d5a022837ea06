/**
 * Checks of steering: groups of sockets on loopback with a program in the kernel, and connections that show whether it
 * is obeyed; and the accept queue as the kernel tells it, which says when to steer.
 */
import { type ListenQueue, NativeError } from '../../native/libc.js';
import { bindSocket } from '../../sockets/bind/bind.js';
import { type Choice, steeringProgram } from '../../sockets/program.js';
import { type Check, type Finding, INSTALL_KOFFI, type Machine, reasonOf } from './check.js';
import { connections, type Listening, LOOPBACK, listenOnLoopback, visits } from './loopback.js';

/** Why no program could be tried at all. */
export type Untried = { readonly why: 'noLibc' | 'noGroup' | 'refused'; readonly reason: string };

export interface SteeringFacts {
  readonly weights: readonly number[];
  readonly received: readonly number[];
}

const WEIGHTS = [0, 1, 3];
const CONNECTIONS = 256;
/** In flight at the same time. */
const TOGETHER = 8;
/** How far a share may be off, in standard deviations of it: chance alone does it less than once in 10^8 times. */
const TOLERANCE = 6;

export const steering: Check<Untried | SteeringFacts> = {
  id: 'steering',
  title: 'steering by weights',

  collect(machine, signal) {
    return withProgram(machine, { kind: 'random', weights: WEIGHTS }, async ({ port, received }) => {
      await visits(CONNECTIONS, TOGETHER, { port, leave: 'nothing', signal });
      return { weights: WEIGHTS, received: [...received] };
    });
  },

  judge(facts) {
    if ('why' in facts)
      return untried(facts, 'the kernel chooses by its hash: connections wait behind a blocked worker');
    const { weights, received } = facts;
    const total = received.reduce((sum, count) => sum + count, 0);
    const found = `weights ${weights.join(' : ')} gave ${received.join(' : ')} of ${total} connections`;
    if (total > 0 && holds(weights, received)) {
      const meaning = 'a worker that is blocked, starts or drains gets no new connections';
      return { result: 'ok', found, meaning, remedy: null };
    }
    return {
      result: 'missing',
      found: `the kernel takes a program and does not go by it: ${found}`,
      meaning: 'the kernel chooses as it likes: connections wait behind a blocked worker',
      remedy: ON_LINUX,
    };
  },
};

export interface AffinityFacts {
  /** For each client address, how many connections each socket got. */
  readonly received: readonly (readonly number[])[];
}

const SEATS = 3;
/** Linux answers on all of 127.0.0.0/8. */
const CLIENTS = Array.from({ length: 8 }, (_, i) => `127.0.0.${i + 1}`);
const CONNECTIONS_EACH = 4;

export const affinity: Check<Untried | AffinityFacts> = {
  id: 'affinity',
  title: 'affinity of client addresses',

  collect(machine, signal) {
    const seats = Array.from({ length: SEATS }, (_, index) => ({ index, open: true }));
    return withProgram(machine, { kind: 'clientIp', seats }, async ({ port, received }) => {
      const all: number[][] = [];
      for (const from of CLIENTS) {
        const before = [...received];
        await visits(CONNECTIONS_EACH, CONNECTIONS_EACH, { port, from, leave: 'nothing', signal });
        all.push(received.map((count, index) => count - before[index]!));
      }
      return { received: all };
    });
  },

  judge(facts) {
    if ('why' in facts) return untried(facts, 'affinity: client-ip is refused at start');
    const used = facts.received.map((counts) => counts.flatMap((count, index) => (count > 0 ? [index] : [])));
    const faithful = used.filter((indexes) => indexes.length === 1).length;
    const sockets = new Set(used.flat()).size;
    const found = `${faithful} of ${used.length} client addresses always reached the same socket; ${sockets} sockets were used`;
    if (faithful === used.length && sockets > 1) {
      const meaning = 'affinity: client-ip keeps each client address at one slot';
      return { result: 'ok', found, meaning, remedy: null };
    }
    return {
      result: 'missing',
      found,
      meaning: 'affinity: client-ip does not keep clients at one slot here',
      remedy: 'keep sessions outside of the workers',
    };
  },
};

export type QueueFacts =
  | { readonly why: 'noLibc'; readonly reason: string }
  /** `queue` is null where the system does not tell. */
  | { readonly waiting: number; readonly queue: ListenQueue | null };

const WAITING = 3;

export const acceptQueue: Check<QueueFacts> = {
  id: 'acceptQueue',
  title: 'length of an accept queue',

  async collect({ native }, signal) {
    if (!native.ok) return { why: 'noLibc', reason: native.reason };
    const { handle, port } = bindSocket({ ...LOOPBACK, port: 0 }, null, native);
    let leave = () => {};
    try {
      // Not by the handle: that would accept.
      native.native.listen(handle.fd, WAITING);
      leave = await connections(WAITING, port, signal);
      return { waiting: WAITING, queue: native.native.tcpListenQueue(handle.fd) };
    } finally {
      leave();
      handle.close();
    }
  },

  judge(facts) {
    const meaning = 'a worker that does not accept is not noticed by its queue';
    if ('why' in facts) return untried(facts, meaning);
    const { waiting, queue } = facts;
    if (queue === null) {
      return { result: 'missing', found: 'the system does not tell it (no TCP_INFO)', meaning, remedy: ON_LINUX };
    }
    if (queue.length !== waiting) {
      const found = `${waiting} connections wait, and TCP_INFO says ${queue.length}`;
      return { result: 'missing', found, meaning, remedy: ON_LINUX };
    }
    return {
      result: 'ok',
      found: `TCP_INFO counts the ${waiting} connections that wait, without the help of the process that accepts them`,
      meaning: 'a blocked worker is noticed, and others serve what waits for it',
      remedy: null,
    };
  },
};

const ON_LINUX = 'use Linux, not a sandbox or a system that imitates it';

function untried({ why, reason }: Untried | { why: 'noLibc'; reason: string }, meaning: string): Finding {
  const remedies = {
    noLibc: `${INSTALL_KOFFI}, on Linux`,
    noGroup: 'see what the check of SO_REUSEPORT says',
    refused: 'use Linux 4.6 or later; in a container, let its seccomp profile allow setsockopt(2) as Docker does',
  };
  return { result: 'missing', found: reason, meaning, remedy: remedies[why] };
}

/** Whether weight 0 got nothing, and the others what they should, up to chance. */
function holds(weights: readonly number[], received: readonly number[]): boolean {
  const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);
  const total = sum(received);
  return weights.every((weight, index) => {
    const share = weight / sum(weights);
    const deviation = Math.sqrt(total * share * (1 - share));
    return Math.abs(received[index]! - total * share) <= TOLERANCE * deviation;
  });
}

async function withProgram<Facts>(
  { native }: Machine,
  choice: Choice,
  collect: (group: Listening) => Promise<Facts>,
): Promise<Untried | Facts> {
  if (!native.ok) return { why: 'noLibc', reason: native.reason };
  const count = choice.kind === 'random' ? choice.weights.length : choice.seats.length;
  let group: Listening;
  try {
    group = listenOnLoopback(0, count, 'native', native);
  } catch (error) {
    return { why: 'noGroup', reason: reasonOf(error) };
  }
  try {
    native.native.attachReusePortProgram(group.sockets[0]!.handle.fd, steeringProgram(choice));
    return await collect(group);
  } catch (error) {
    if (error instanceof NativeError) return { why: 'refused', reason: reasonOf(error) };
    throw error;
  } finally {
    group.close();
  }
}
