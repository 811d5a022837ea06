import fc from 'fast-check';
import t from 'tap';
import { type Seat, steeringProgram } from '../../src/sockets/program.js';
import { chiSquared, chiSquaredLimit, interpret, packetFrom } from '../fixtures/sockets/bpf-interpreter.js';

/** What every program of 256 sockets stays below; the kernel takes 4,096. */
const MAX_INSTRUCTIONS = 1100;
const SOME_WEIGHT = (weights: readonly number[]) => weights.some((weight) => weight > 0);

function byWeights(weights: readonly number[]): (random: number) => number {
  const answer = interpret(steeringProgram({ kind: 'random', weights }));
  return (random) => answer({ random });
}

function byPacket(seats: readonly Seat[]): (packet: Uint8Array) => number {
  const answer = interpret(steeringProgram({ kind: 'clientIp', seats }));
  return (packet) => answer({ packet });
}

function byAddress(seats: readonly Seat[]): (address: string) => number {
  const choose = byPacket(seats);
  return (address) => choose(packetFrom(address));
}

/** Indexes differ from places: 100 for the last seat, then downwards. */
function seats(open: readonly boolean[]): Seat[] {
  return open.map((isOpen, place) => ({ index: 100 + open.length - place, open: isOpen }));
}

function countOf(indexes: readonly number[], length: number): number[] {
  const counts = new Array<number>(length).fill(0);
  for (const index of indexes) counts[index]! += 1;
  return counts;
}

/** Many addresses of one kind, as clients have them. */
function addresses(count: number): Record<string, string[]> {
  const all = (address: (i: number) => string) => Array.from({ length: count }, (_, i) => address(i));
  const hex = (value: number) => (value & 0xffff).toString(16);
  return {
    'one IPv4 network': all((i) => `10.1.${i >> 8}.${i & 255}`),
    'IPv4 routers': all((i) => `${1 + (i >> 8)}.${i & 255}.0.1`),
    'IPv4 in steps of 64': all((i) => `100.${(i >> 10) & 255}.${(i >> 2) & 255}.${(i & 3) << 6}`),
    'one IPv6 network': all((i) => `2001:db8::${hex(i)}`),
    'IPv6 networks with the same host': all((i) => `2001:db8:${hex(i)}::1`),
    'IPv6 second words': all((i) => `2001:db8:0:${hex(i)}::`),
    'IPv6 third words': all((i) => `fe80::${hex(i)}:ff:fe00:0`),
    'IPv6 hosts that repeat their network': all((i) => `${hex(i)}:0:${hex(i)}:0:${hex(i)}:0:${hex(i)}:0`),
  };
}

t.test('shares are exactly the weights, and a weight of 0 gets nothing', async () => {
  const weight = fc.oneof(fc.constant(0), fc.nat(5), fc.nat(60));
  const weights = fc.array(weight, { minLength: 1, maxLength: 256, size: 'max' }).filter(SOME_WEIGHT);
  fc.assert(
    fc.property(weights, (weights) => {
      const choose = byWeights(weights);
      const sum = weights.reduce((total, one) => total + one, 0);
      const chosen = Array.from({ length: sum }, (_, word) => choose(word));
      const counts = countOf(chosen, weights.length);
      return counts.length === weights.length && counts.every((count, i) => count === weights[i]);
    }),
  );
});

t.test('shares hold for weights up to 32 bits and random words of all 32 bits', async (t) => {
  const weights = fc
    .array(fc.oneof(fc.constant(0), fc.nat(0xff_ffff)), { minLength: 1, maxLength: 256, size: 'max' })
    .filter(SOME_WEIGHT);
  fc.assert(
    fc.property(weights, fc.nat(255), (weights, turn) => {
      const choose = byWeights(weights);
      const sum = weights.reduce((total, one) => total + one, 0);
      // The same place, in one of the sum's repetitions within 32 bits.
      const repetition = sum * Math.floor((Math.floor(2 ** 32 / sum) * turn) / 256);
      let first = repetition;
      return weights.every((one, i) => {
        const end = first + one;
        const right = one === 0 || (choose(first) === i && choose(end - 1) === i);
        first = end;
        return right;
      });
    }),
  );
  const half = 2 ** 31;
  const choose = byWeights([1, half, half - 2]);
  const words = [0, 1, half, half + 1, 2 ** 32 - 2, 2 ** 32 - 1];
  t.same(words.map(choose), [0, 1, 1, 2, 2, 0]);
});

t.test('serves 256 sockets, and 256 among many that get nothing', async (t) => {
  const all = byWeights(new Array<number>(256).fill(1));
  for (let i = 0; i < 256; i += 1) t.equal(all(256 * 1000 + i), i);
  const every = 7;
  const few = byWeights(Array.from({ length: 256 * every }, (_, i) => (i % every === every - 1 ? 2 : 0)));
  for (let i = 0; i < 512; i += 1) t.equal(few(i), Math.floor(i / 2) * every + every - 1);
});

t.test('a single socket that gets connections needs one instruction', async (t) => {
  t.equal(steeringProgram({ kind: 'random', weights: [0, 0, 9, 0] }).length, 1);
  t.equal(byWeights([0, 0, 9, 0])(12345), 2);
  const alone = seats([false, true, false]);
  t.equal(steeringProgram({ kind: 'clientIp', seats: alone }).length, 1);
  t.equal(byAddress(alone)('192.0.2.1'), alone[1]!.index);
});

t.test('programs of up to 256 sockets stay short', async (t) => {
  const shapes: Record<string, (place: number) => boolean> = {
    all: () => true,
    'every other': (place) => place % 2 === 0,
    'all but the first': (place) => place > 0,
    'all but the last': (place) => place < 255,
  };
  for (const [name, shape] of Object.entries(shapes)) {
    const open = Array.from({ length: 256 }, (_, place) => shape(place));
    const random = steeringProgram({ kind: 'random', weights: open.map((isOpen) => (isOpen ? 7 : 0)) });
    const clientIp = steeringProgram({ kind: 'clientIp', seats: seats(open) });
    t.doesNotThrow(() => [interpret(random), interpret(clientIp)], `${name}: the kernel's rules`);
    t.ok(random.length <= 513, `${name}: ${random.length} by weights`);
    t.ok(clientIp.length <= MAX_INSTRUCTIONS, `${name}: ${clientIp.length} by address`);
  }
});

t.test('seats of all patterns give programs within the rules that answer with open seats only', async () => {
  const open = fc
    .array(fc.boolean(), { minLength: 1, maxLength: 256, size: 'max' })
    .filter((all) => all.includes(true));
  fc.assert(
    fc.property(
      open,
      fc.array(fc.ipV4(), { minLength: 20 }),
      fc.array(fc.ipV6(), { minLength: 20 }),
      (open, v4, v6) => {
        const all = seats(open);
        const choose = byAddress(all);
        const indexes = new Set(all.filter((seat) => seat.open).map((seat) => seat.index));
        const plain = v6.filter((address) => !address.includes('.'));
        return [...v4, ...plain].every((address) => indexes.has(choose(address)));
      },
    ),
    { numRuns: 50 },
  );
});

t.test('an address never leaves a seat that is open, and comes back when it opens again', async () => {
  const patterns = fc.integer({ min: 1, max: 40 }).chain((length) => {
    const pattern = fc.array(fc.boolean(), { minLength: length, maxLength: length });
    return fc.tuple(pattern, pattern);
  });
  const clients = Object.values(addresses(40)).flat();
  fc.assert(
    fc.property(
      patterns.filter(([one, other]) => one.includes(true) && other.includes(true)),
      ([one, other]) => {
        const allOpen = byAddress(seats(one.map(() => true)));
        const choices = [one, other].map((open) => ({ open, choose: byAddress(seats(open)) }));
        return clients.every((client) => {
          const home = allOpen(client);
          const place = 100 + one.length - home;
          return choices.every(({ open, choose }) => !open[place] || choose(client) === home);
        });
      },
    ),
    { numRuns: 60 },
  );
});

t.test('the index of a seat in the group does not matter to which seat an address has', async (t) => {
  const open = [true, false, true, true, true];
  const one = seats(open);
  // As after a socket that left and came back: other indexes, the same seats. A seat that is not open may have none.
  const other = [4, -1, 0, 9, 2].map((index, place) => ({ index, open: open[place]! }));
  const [chooseOne, chooseOther] = [byAddress(one), byAddress(other)];
  for (const client of Object.values(addresses(50)).flat()) {
    const place = one.findIndex((seat) => seat.index === chooseOne(client));
    t.equal(chooseOther(client), other[place]!.index, client);
  }
});

t.test('addresses are spread evenly over the seats, and those of closed seats over the open ones', async (t) => {
  for (const [kind, clients] of Object.entries(addresses(20_000))) {
    const packets = clients.map(packetFrom);
    for (const count of [3, 8, 100, 256]) {
      const all = Array.from({ length: count }, (_, index) => ({ index, open: index % 3 !== 1 }));
      const home = byPacket(all.map((seat) => ({ ...seat, open: true })));
      const even = new Array<number>(count).fill(1);
      const spread = chiSquared(countOf(packets.map(home), count), even);
      t.ok(spread < chiSquaredLimit(count - 1), `${kind}, ${count} seats: ${spread.toFixed(1)}`);

      const displaced = packets.filter((packet) => !all[home(packet)]!.open);
      const counts = countOf(displaced.map(byPacket(all)), count);
      const shares = all.map((seat) => (seat.open ? 1 : 0));
      const toClosed = counts.filter((n, index) => n > 0 && shares[index] === 0);
      t.same(toClosed, [], `${kind}, ${count} seats: none to a closed one`);
      const second = chiSquared(counts, shares);
      const degrees = shares.filter((share) => share > 0).length - 1;
      t.ok(second < chiSquaredLimit(degrees), `${kind}, ${count} seats, displaced: ${second.toFixed(1)}`);
    }
  }
});

t.test('the addresses of each closed seat go to all that are open', async (t) => {
  const count = 8;
  const all = Array.from({ length: count }, (_, index) => ({ index, open: true }));
  const home = byPacket(all);
  const packets = Object.values(addresses(4000)).flat().map(packetFrom);
  // A number of open seats that divides that of all is the hard case, when both draws come from one hash.
  for (const closed of [[0], [5], [2, 6], [0, 1, 2, 3], [1, 3, 5, 7], [0, 2, 3, 4, 5, 7]]) {
    const some = byPacket(all.map((seat) => ({ ...seat, open: !closed.includes(seat.index) })));
    const shares = all.map((seat) => (closed.includes(seat.index) ? 0 : 1));
    for (const place of closed) {
      const counts = countOf(packets.filter((packet) => home(packet) === place).map(some), count);
      const spread = chiSquared(counts, shares);
      t.ok(spread < chiSquaredLimit(count - closed.length - 1), `seat ${place} of ${closed}: ${counts.join(' ')}`);
    }
  }
});

t.test('every part of an address counts, and nothing else of the packet does', async (t) => {
  const choose = byPacket(Array.from({ length: 256 }, (_, index) => ({ index, open: true })));
  for (const [address, source] of [
    ['192.0.2.77', { at: 12, bytes: 4 }],
    ['2001:db8:1:2:3:4:5:6', { at: 8, bytes: 16 }],
  ] as const) {
    const packet = packetFrom(address);
    const chosen = choose(packet);
    for (const at of packet.keys()) {
      // Of the first byte, the upper half is the version.
      const values = Array.from({ length: 255 }, (_, i) => i + 1).filter((flip) => at > 0 || flip < 16);
      const answers = values.map((flip) => choose(packet.with(at, packet[at]! ^ flip)));
      const isSource = at >= source.at && at < source.at + source.bytes;
      const same = answers.filter((answer) => answer === chosen).length;
      if (isSource) t.ok(same < 10, `byte ${at} of ${address}: ${same} of ${answers.length} the same`);
      else t.equal(same, answers.length, `byte ${at} of ${address}`);
    }
  }
});

t.test('a choice that is none is refused', async (t) => {
  const bad: [string, readonly number[], RegExp][] = [
    ['negative', [1, -1], /weight -1 is not a whole number/],
    ['not whole', [1, 0.5], /weight 0.5 is not a whole number/],
    ['no number', [1, Number.NaN], /weight NaN/],
    ['endless', [1, Number.POSITIVE_INFINITY], /weight Infinity/],
    ['all zero', [0, 0], /0 sockets with a weight above 0/],
    ['empty', [], /0 sockets/],
    ['too many', new Array<number>(257).fill(1), /257 sockets .*not 1 to 256/],
    ['too heavy', [2 ** 31, 2 ** 31], /sum 4294967296 does not fit in 32 bits/],
    ['far away', [...new Array<number>(65_536).fill(0), 1], /index 65536/],
  ];
  for (const [name, weights, message] of bad) {
    t.throws(() => steeringProgram({ kind: 'random', weights }), { name: 'RangeError', message }, name);
  }
  const open = (...indexes: number[]) => indexes.map((index) => ({ index, open: true }));
  const badSeats: [string, readonly Seat[], RegExp][] = [
    ['none', [], /0 seats/],
    ['none open', seats([false, false]), /0 open seats/],
    ['too many', seats(new Array<boolean>(257).fill(true)), /257 seats, not 1 to 256/],
    ['no index', open(0, -1), /index -1 is not a whole number/],
    ['half an index', open(0, 0.5), /index 0.5/],
    ['the same index twice', open(3, 1, 3), /the same index/],
  ];
  for (const [name, all, message] of badSeats) {
    t.throws(() => steeringProgram({ kind: 'clientIp', seats: all }), { name: 'RangeError', message }, name);
  }
});
