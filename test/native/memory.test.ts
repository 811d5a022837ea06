import t from 'tap';
import { openTrim } from '../../src/native/memory.js';
import { nativeOf } from '../fixtures/sockets/support.js';

t.test('what was freed is given back, as much as libc finds', async (t) => {
  const asked: string[] = [];
  const pads: number[] = [];
  const trim = openTrim({
    func(prototype: string) {
      asked.push(prototype);
      return (pad: number) => pads.push(pad);
    },
  } as never);
  t.same(asked, [], 'looked up when it is needed');
  trim();
  trim();
  t.same([asked.length, pads], [1, [0, 0]]);
  t.match(asked[0], /malloc_trim/);
});

t.test('a libc without it is left alone', async (t) => {
  let asked = 0;
  const trim = openTrim({
    func() {
      asked += 1;
      throw new Error('Cannot find function malloc_trim');
    },
  } as never);
  trim();
  trim();
  t.equal(asked, 1);
});

t.test('the one of this system can be called', async (t) => {
  const native = nativeOf();
  native.trimMemory();
  native.trimMemory();
  t.pass('and again');
});
