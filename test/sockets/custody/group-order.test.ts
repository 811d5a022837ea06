import fc from 'fast-check';
import t from 'tap';
import { GroupOrder } from '../../../src/sockets/custody/group-order.js';

function groupOf(...names: string[]): GroupOrder<string> {
  const group = new GroupOrder<string>();
  for (const name of names) group.join(name);
  return group;
}

t.test('a member has the index of its turn', async (t) => {
  const group = groupOf('a', 'b', 'c');
  t.same(group.members, ['a', 'b', 'c']);
  t.equal(group.indexOf('c'), 2);
});

t.test('the last member takes the index of one that leaves', async (t) => {
  const group = groupOf('a', 'b', 'c', 'd');
  group.leave('b');
  t.same(group.members, ['a', 'd', 'c']);
  t.equal(group.indexOf('d'), 1);
  t.equal(group.indexOf('b'), -1);
});

t.test('nobody moves when the last one leaves', async (t) => {
  const group = groupOf('a', 'b', 'c');
  group.leave('c');
  t.same(group.members, ['a', 'b']);
  group.leave('b');
  group.leave('a');
  t.same(group.members, []);
});

t.test('one that comes again is the last', async (t) => {
  const group = groupOf('a', 'b', 'c');
  group.leave('a');
  group.join('a');
  t.same(group.members, ['c', 'b', 'a']);
});

t.test('listening again moves nobody, nor does closing what never listened', async (t) => {
  const group = groupOf('a', 'b', 'c');
  group.join('a');
  group.leave('z');
  t.same(group.members, ['a', 'b', 'c']);
});

t.test('members are known by identity, not by what is in them', async (t) => {
  const [one, other] = [{ slot: 0 }, { slot: 0 }];
  const group = new GroupOrder<{ slot: number }>();
  group.join(one);
  t.equal(group.indexOf(other), -1);
  group.join(other);
  t.equal(group.indexOf(other), 1);
});

t.test('indexes are those of the members, without gaps, and a change moves one member at most', async () => {
  const changes = fc.array(fc.record({ joins: fc.boolean(), name: fc.nat(9) }), { maxLength: 60 });
  fc.assert(
    fc.property(changes, (changes) => {
      const group = new GroupOrder<number>();
      const present = new Set<number>();
      for (const { joins, name } of changes) {
        const before = new Map(group.members.map((member, i) => [member, i]));
        if (joins) group.join(name);
        else group.leave(name);
        if (joins) present.add(name);
        else present.delete(name);
        const { members } = group;
        const moved = members.filter((member, i) => before.has(member) && before.get(member) !== i);
        if (members.length !== present.size || members.some((member) => !present.has(member))) return false;
        if (members.some((member, i) => group.indexOf(member) !== i)) return false;
        if (moved.length > (joins ? 0 : 1)) return false;
      }
      return true;
    }),
  );
});
