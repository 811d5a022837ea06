import t from 'tap';
import { holdBackBytes, maxBytes, Outlet } from '../../../src/logs/sinks/outlet.js';
import type { Sink, WriteDone } from '../../../src/logs/sinks/sink.js';

/** A sink whose writes end when the test says so. */
class ManualSink implements Sink {
  readonly texts: string[] = [];
  closed = 0;
  #done: WriteDone | undefined;

  write(text: string, done: WriteDone): void {
    if (this.#done !== undefined) throw new Error('two writes at a time');
    this.texts.push(text);
    this.#done = done;
  }

  close(): void {
    if (this.#done !== undefined) throw new Error('closed while it writes');
    this.closed += 1;
  }

  get writing(): boolean {
    return this.#done !== undefined;
  }

  settle(error: Error | null = null, writtenBytes = 0): void {
    const done = this.#done;
    this.#done = undefined;
    done?.(error, writtenBytes);
  }

  settleAll(): void {
    while (this.writing) this.settle();
  }
}

function setUp() {
  const sink = new ManualSink();
  const dropped: number[] = [];
  return { sink, dropped, outlet: new Outlet(sink, (count) => dropped.push(count)) };
}

const kilobyte = `${'x'.repeat(1023)}\n`;

t.test('writes lines in order, one write at a time', async (t) => {
  const { sink, outlet } = setUp();
  for (const line of ['1\n', '2\n', '3\n']) outlet.write(line);
  t.same(sink.texts, ['1\n']);
  t.equal(outlet.bufferedBytes, 6);
  sink.settle();
  t.same(sink.texts, ['1\n', '2\n3\n']);
  sink.settle();
  t.equal(outlet.bufferedBytes, 0);
});

t.test('drops at the bound, counts it, and tells once it flows again', async (t) => {
  const { sink, dropped, outlet } = setUp();
  for (let line = 0; line < 3000; line += 1) outlet.write(kilobyte);
  t.equal(outlet.bufferedBytes, maxBytes);
  t.same(dropped, []);
  sink.settleAll();
  t.same(dropped, [3000 - maxBytes / 1024]);
  t.equal(sink.texts.join('').length, maxBytes);
});

t.test('counts bytes, not characters', async (t) => {
  const { sink, dropped, outlet } = setUp();
  outlet.write('€'.repeat(maxBytes / 3 + 1));
  t.equal(outlet.bufferedBytes, 0);
  outlet.write('€\n');
  t.equal(outlet.bufferedBytes, 4);
  sink.settleAll();
  t.same(dropped, [1]);
});

t.test('holds back above the mark, and lets those who wait go on far below it', async (t) => {
  const { sink, outlet } = setUp();
  while (outlet.writable) outlet.write(kilobyte);
  t.ok(outlet.bufferedBytes >= holdBackBytes);
  let bytesWhenWoken = -1;
  outlet.onceWritable(() => {
    bytesWhenWoken = outlet.bufferedBytes;
  });
  sink.settle();
  t.equal(bytesWhenWoken, -1);
  sink.settleAll();
  t.ok(bytesWhenWoken >= 0 && bytesWhenWoken < holdBackBytes / 2);
});

t.test('calls back soon when there is room already', async () => {
  const { outlet } = setUp();
  await new Promise<void>((resolve) => outlet.onceWritable(resolve));
});

t.test('lets those who wait take turns', async (t) => {
  const { sink, outlet } = setUp();
  const turns: string[] = [];
  const fill = () => {
    while (outlet.writable) outlet.write(kilobyte);
  };
  const greedy = (name: string) => () => {
    turns.push(name);
    fill();
    if (turns.length < 6) outlet.onceWritable(greedy(name));
  };
  fill();
  for (const name of ['a', 'b', 'c']) outlet.onceWritable(greedy(name));
  sink.settleAll();
  t.same(turns, ['a', 'b', 'c', 'a', 'b', 'c', 'a', 'b']);
});

t.test('a sink that fails loses lines, and holds nobody back', async (t) => {
  const { sink, dropped, outlet } = setUp();
  while (outlet.writable) outlet.write(kilobyte);
  const lines = outlet.bufferedBytes / 1024;
  while (sink.writing) sink.settle(new Error('no space left'));
  t.equal(outlet.bufferedBytes, 0);
  t.ok(outlet.writable);
  t.same(dropped, [], 'there is nowhere to tell it');
  outlet.write('better\n');
  sink.settleAll();
  t.same(dropped, [lines]);
});

t.test('a line after a half written one begins on a line of its own', async (t) => {
  const { sink, outlet } = setUp();
  outlet.write('half\n');
  sink.settle(new Error('no space left'), 1);
  outlet.write('lost\n');
  sink.settle(new Error('no space left'), 0);
  outlet.write('next\n');
  sink.settle();
  outlet.write('after\n');
  t.same(sink.texts, ['half\n', '\nlost\n', '\nnext\n', 'after\n']);
});

t.test('changes sinks between two lines, and closes each old one when it has written', async (t) => {
  const { sink, outlet } = setUp();
  const [unused, last] = [new ManualSink(), new ManualSink()];
  outlet.write('1\n');
  outlet.write('2\n');
  outlet.replaceSink(unused);
  outlet.replaceSink(last);
  t.equal(sink.closed, 0);
  t.equal(unused.closed, 1);
  sink.settle();
  t.equal(sink.closed, 1);
  t.same([sink.texts, unused.texts, last.texts], [['1\n'], [], ['2\n']]);
  last.settle();
  outlet.replaceSink(new ManualSink());
  t.equal(last.closed, 1);
});

t.test('flush waits for the last line', async (t) => {
  const { sink, outlet } = setUp();
  await outlet.flush(60_000);
  outlet.write('1\n');
  outlet.write('2\n');
  let flushed = false;
  const flushing = outlet.flush(60_000).then(() => {
    flushed = true;
  });
  sink.settle();
  await Promise.resolve();
  t.notOk(flushed);
  sink.settle();
  await flushing;
});

t.test('flush gives up on a sink that stalls', async (t) => {
  const { outlet } = setUp();
  outlet.write('1\n');
  await outlet.flush(1);
  t.equal(outlet.bufferedBytes, 2);
});
