/**
 * Steering programs in the kernel itself. Connections are counted where they wait: nobody accepts, a client closes its
 * end as soon as it is connected, and the queue keeps its place until the listening socket is closed.
 */
import { once } from 'node:events';
import net from 'node:net';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { type BoundSocket, bindSocket } from '../../src/sockets/bind/bind.js';
import { GroupOrder } from '../../src/sockets/custody/group-order.js';
import { type Choice, type Seat, steeringProgram } from '../../src/sockets/program.js';
import { chiSquared, chiSquaredLimit, interpret, packetFrom } from '../fixtures/sockets/bpf-interpreter.js';
import { nativeOf, request } from '../fixtures/sockets/support.js';

const native = nativeOf();
/** How many connections may wait in one socket: below what any system's own limit is. */
const BACKLOG = 128;

/** The reuse-port group of one address. Sockets that it opens are the caller's to close, by `close` at the latest. */
class Group {
  readonly #host: string;
  readonly #open = new Set<BoundSocket>();
  #port = 0;

  constructor(host: string) {
    this.#host = host;
  }

  get port(): number {
    return this.#port;
  }

  bind(): BoundSocket {
    const socket = bindSocket(request(this.#host, this.#port), 'native', { ok: true, native });
    this.#port = socket.port;
    this.#open.add(socket);
    return socket;
  }

  listening(): BoundSocket {
    const socket = this.bind();
    native.listen(socket.handle.fd, BACKLOG);
    return socket;
  }

  leave(socket: BoundSocket): void {
    this.#open.delete(socket);
    socket.handle.close();
  }

  close(): void {
    for (const socket of this.#open) socket.handle.close();
    this.#open.clear();
  }
}

function group(t: Test, host: string): Group {
  const opened = new Group(host);
  t.teardown(() => opened.close());
  return opened;
}

function steer(members: readonly BoundSocket[], choice: Choice): void {
  native.attachReusePortProgram(members[0]!.handle.fd, steeringProgram(choice));
}

/** `RET index`, in the words of a choice. */
function steerTo(members: readonly BoundSocket[], index: number): void {
  steer(members, { kind: 'random', weights: members.map((_, i) => (i === index ? 1 : 0)) });
}

async function connect(port: number, to: string, from?: string): Promise<void> {
  const client = net.connect({ port, host: to, ...(from === undefined ? {} : { localAddress: from }) });
  await once(client, 'connect');
  client.destroy();
  await once(client, 'close');
}

function waiting(members: readonly BoundSocket[]): number[] {
  return members.map((member) => native.tcpListenQueue(member.handle.fd)!.length);
}

/** How many of the connections that `open` makes came to each member. */
async function arrivals(
  members: readonly BoundSocket[],
  count: number,
  open: (i: number) => Promise<void>,
): Promise<number[]> {
  const before = waiting(members);
  await Promise.all(Array.from({ length: count }, (_, i) => open(i)));
  for (;;) {
    const counts = waiting(members).map((length, i) => length - before[i]!);
    // The client is connected a moment before the connection is in the queue.
    if (counts.reduce((sum, one) => sum + one, 0) >= count) return counts;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Where `total` connections go; in rounds with sockets of their own, so that no queue gets full. */
async function shares(weights: readonly number[], total: number): Promise<number[]> {
  const perRound = 100;
  const sums = weights.map(() => 0);
  for (let done = 0; done < total; done += perRound) {
    const group = new Group('127.0.0.1');
    try {
      const members = weights.map(() => group.listening());
      steer(members, { kind: 'random', weights });
      const counts = await arrivals(members, perRound, () => connect(group.port, '127.0.0.1'));
      for (const [i, count] of counts.entries()) sums[i]! += count;
    } finally {
      group.close();
    }
  }
  return sums;
}

t.test('a program that names an index which is no more lets the kernel take any socket of the group', async (t) => {
  const members = group(t, '127.0.0.1');
  const sockets = [members.listening(), members.listening(), members.listening(), members.listening()];
  // Everything to the last two, of which one moves when the first socket leaves.
  steer(sockets, { kind: 'random', weights: [0, 0, 1, 1] });
  members.leave(sockets[0]!);
  const left = [sockets[3]!, sockets[1]!, sockets[2]!];
  for (let i = 0; i < 60; i++) await connect(members.port, '127.0.0.1');
  const [moved = 0, unwanted = 0, named = 0] = waiting(left);
  t.equal(moved + unwanted + named, 60);
  t.ok(unwanted > 0, `one that had no weight got ${unwanted} of 60`);
});

t.test('the kernel shares connections out by the weights', async (t) => {
  const weights = [1, 2, 3, 4];
  const counts = await shares(weights, 2000);
  const distance = chiSquared(counts, weights);
  t.ok(distance < chiSquaredLimit(weights.length - 1), `${counts.join(' ')}: ${distance.toFixed(1)}`);
});

t.test('a socket of weight 0 gets no connection, the others their shares', async (t) => {
  const weights = [0, 3, 0, 1, 1, 0];
  const counts = await shares(weights, 1000);
  t.same([counts[0], counts[2], counts[5]], [0, 0, 0]);
  const distance = chiSquared(counts, weights);
  t.ok(distance < chiSquaredLimit(2), `${counts.join(' ')}: ${distance.toFixed(1)}`);
});

t.test('the kernel takes programs for 256 sockets, and finds the sockets by their indexes', async (t) => {
  const one = group(t, '127.0.0.1');
  const members = Array.from({ length: 256 }, () => one.listening());
  const open = (place: number) => place % 2 === 0;
  steer(members, { kind: 'random', weights: members.map((_, i) => 0xff_0000 + i) });
  steer(members, { kind: 'clientIp', seats: members.map((_, index) => ({ index, open: open(index) })) });
  for (const index of [0, 1, 127, 128, 129, 254, 255]) {
    steerTo(members, index);
    const counts = await arrivals(members, 2, () => connect(one.port, '127.0.0.1'));
    t.equal(counts[index], 2, `socket ${index}`);
  }
});

t.test('the connections of one address reach the socket that the interpreter predicts', async (t) => {
  const hosts = { '127.0.0.1': [4], '::1': [6], '::': [4, 6] };
  const sources = { 4: Array.from({ length: 12 }, (_, i) => `127.0.${i % 3}.${i + 1}`), 6: ['::1'] };
  for (const [host, families] of Object.entries(hosts)) {
    const one = group(t, host);
    const members = Array.from({ length: 6 }, () => one.listening());
    for (const closed of [[], [1, 4], [0, 1, 2, 3], [5]]) {
      // Seats in another order than the group.
      const seats: Seat[] = [3, 0, 5, 1, 4, 2].map((index, place) => ({ index, open: !closed.includes(place) }));
      const choice = { kind: 'clientIp', seats } as const;
      steer(members, choice);
      const predict = interpret(steeringProgram(choice));
      for (const from of families.flatMap((family) => sources[family as 4 | 6])) {
        const to = net.isIPv4(from) ? '127.0.0.1' : '::1';
        const counts = await arrivals(members, 4, () => connect(one.port, to, from));
        const index = predict({ packet: packetFrom(from) });
        const expected = members.map((_, i) => (i === index ? 4 : 0));
        t.same(counts, expected, `from ${from} on ${host}, without ${closed.length} seats`);
      }
    }
  }
});

/** Asks the kernel for each index, and says where its order and ours differ. */
async function differences(order: GroupOrder<BoundSocket>, port: number): Promise<string[]> {
  const { members } = order;
  const found: string[] = [];
  for (const [index, member] of members.entries()) {
    steerTo(members, index);
    const counts = await arrivals(members, 1, () => connect(port, '127.0.0.1'));
    if (counts[index] !== 1 || order.indexOf(member) !== index) found.push(`${index} is ${counts.indexOf(1)}`);
  }
  return found;
}

t.test('the order of a group is the kernel’s through joins and leaves in any order', async () => {
  // A number says which member leaves, null that one joins.
  const changes = fc.array(fc.option(fc.nat(20), { freq: 1 }), { minLength: 4, maxLength: 10 });
  await fc.assert(
    fc.asyncProperty(changes, async (changes) => {
      const one = new Group('127.0.0.1');
      const order = new GroupOrder<BoundSocket>();
      try {
        for (let i = 0; i < 4; i += 1) order.join(one.listening());
        for (const leaver of changes) {
          if (leaver === null || order.members.length === 1) {
            order.join(one.listening());
          } else {
            const member = order.members[leaver % order.members.length]!;
            order.leave(member);
            one.leave(member);
          }
          const found = await differences(order, one.port);
          if (found.length > 0) throw new Error(`of ${order.members.length} members ${found.join(', ')}`);
        }
      } finally {
        one.close();
      }
    }),
    { numRuns: 12 },
  );
});

t.test('a socket joins the group when it listens, not when it is bound', async (t) => {
  const one = group(t, '127.0.0.1');
  const bound = Array.from({ length: 4 }, () => one.bind());
  const order = new GroupOrder<BoundSocket>();
  for (const i of [2, 0, 3, 1]) {
    native.listen(bound[i]!.handle.fd, BACKLOG);
    order.join(bound[i]!);
  }
  t.same(await differences(order, one.port), []);
});

t.test(
  'a socket that listens already when it is handed in joined before, and stays when it is told to listen again',
  async (t) => {
    const one = group(t, '127.0.0.1');
    const outside = [one.listening(), one.listening()];
    await arrivals(outside, 3, () => connect(one.port, '127.0.0.1'));
    const order = new GroupOrder<BoundSocket>();
    for (const socket of outside) order.join(socket);
    order.join(one.listening());
    t.same(await differences(order, one.port), [], 'before');

    for (const socket of outside) {
      native.listen(socket.handle.fd, BACKLOG - 1);
      order.join(socket);
    }
    order.join(one.listening());
    t.same(await differences(order, one.port), [], 'told to listen again');

    const [first] = outside;
    order.leave(first!);
    one.leave(first!);
    t.same(await differences(order, one.port), [], 'after one of them left');
  },
);
