import t from 'tap';
import { describeFoundListeners } from '../../src/core/found-listeners.js';

const child = { pid: 12, command: 'node server.js' };

t.test('says who listens instead of the worker, and what to do about it', async (t) => {
  t.equal(describeFoundListeners([]), null);
  t.equal(
    describeFoundListeners([{ child, address: '127.0.0.1:3000' }]),
    'a process that it has started, PID 12 (node server.js), listens on 127.0.0.1:3000: have holdfast start that program itself',
  );
  t.match(
    describeFoundListeners([{ child: { pid: 12, command: null }, address: '*:1' }]),
    /started, PID 12, listens on \*:1/,
  );
  t.match(
    describeFoundListeners([{ child: null, address: '0.0.0.0:3000' }]),
    /^it listens on 0\.0\.0\.0:3000 past holdfast/,
  );
});

t.test('what the worker does itself comes first, and some of many addresses are named', async (t) => {
  const own = [1, 2, 3, 4].map((port) => ({ child: null, address: `[::]:${port}` }));
  t.match(
    describeFoundListeners([{ child, address: '127.0.0.1:3000' }, ...own]),
    /^it listens on \[::\]:1, \[::\]:2, \[::\]:3 past/,
  );
});
