import t from 'tap';
import { type Progress, Task } from '../../src/api/task.js';
import { HoldfastError } from '../../src/errors.js';

const failure = (reason: string) => new HoldfastError('FAILED', `cannot reload: ${reason}`);

t.test('its steps come as they are told, the first ones too, and then it ends', async (t) => {
  const done = resolvers();
  let tell: (step: Progress) => void = () => {};
  const task = new Task(async (onProgress) => {
    tell = onProgress;
    onProgress({ message: 'one', fields: { slot: 0 } });
    await done.promise;
    return { ok: true, message: 'reload', reason: null };
  }, failure);
  const steps = task[Symbol.asyncIterator]();
  t.same((await steps.next()).value, { message: 'one', fields: { slot: 0 } });
  const next = steps.next();
  tell({ message: 'two', fields: {} });
  t.match((await next).value, { message: 'two' });
  done.resolve();
  t.same(await steps.next(), { value: undefined, done: true });
  t.same(await task, { ok: true, message: 'reload', reason: null });
});

t.test('where it failed it rejects, and its steps end with the error', async (t) => {
  const perform = async () => ({ ok: false, message: 'failed', reason: 'exit code 1' });
  await t.rejects(Promise.resolve(new Task(perform, failure)), {
    code: 'FAILED',
    message: 'cannot reload: exit code 1',
  });
  const steps = new Task(perform, failure)[Symbol.asyncIterator]();
  await t.rejects(steps.next(), { code: 'FAILED' });
});

t.test('two who read it both come to its end, and each step is told once', async (t) => {
  const done = resolvers();
  const task = new Task(async (onProgress) => {
    for (let n = 0; n < 4; n++) {
      await new Promise((resolve) => setImmediate(resolve));
      onProgress({ message: String(n), fields: {} });
    }
    await done.promise;
    return { ok: true, message: 'reload', reason: null };
  }, failure);
  const told: string[] = [];
  const read = async () => {
    for await (const { message } of task) {
      told.push(message);
      if (told.length === 4) done.resolve();
    }
  };
  await Promise.all([read(), read()]);
  t.same(told, ['0', '1', '2', '3']);
});

t.test('steps that nobody reads do not grow without bound', async (t) => {
  const task = new Task(async (onProgress) => {
    for (let n = 0; n < 5_000; n++) onProgress({ message: String(n), fields: {} });
    return { ok: true, message: 'reload', reason: null };
  }, failure);
  await task;
  const kept: string[] = [];
  for await (const { message } of task) kept.push(message);
  t.equal(kept.length, 1_000);
  t.equal(kept.at(-1), '4999', 'the newest are kept');
});

function resolvers() {
  let resolve: () => void = () => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
