import { existsSync, lstatSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import type { ProfileOptions } from '../../../../src/protocol/control.js';
import type { SupervisorMessage } from '../../../../src/protocol/worker.js';
import type { WorkerHandle } from '../../../../src/supervisor/workers/process/handle.js';
import { Examinations } from '../../../../src/supervisor/workers/questions/examinations.js';

type Sent = { readonly type: SupervisorMessage['type']; readonly seq: number; readonly spare: string };

const CPU: ProfileOptions = { of: 1, what: 'cpu', forMs: 600_000, file: '/tmp/a', id: '1 2' };
const HEAP: ProfileOptions = { ...CPU, what: 'heap' };

function make(t: Test) {
  const folder = t.testdir({});
  const examinations = new Examinations(folder, 'shop');
  const sent: Sent[] = [];
  const identity = { name: 'shop', worker: 1, slot: 0, generation: 1 };
  const send = async (message: Sent) => void sent.push(message);
  const handle = { identity, connected: true, plain: false, send } as unknown as WorkerHandle;
  const last = () => sent.at(-1) ?? t.fail('nothing was sent');
  const spares = () => readdirSync(folder).filter((name) => name.endsWith('.profile'));
  return { folder, examinations, handle, sent, last: last as () => Sent, spares };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));
const profiled = (seq: number, more: { ok: boolean; aside: boolean }) =>
  ({ cmd: 'NODE_HOLDFAST', type: 'profiled', seq, detail: 'given up', ...more }) as const;

t.test(
  'a profile that nobody waits for any more is ended in the worker, which is free for the next at once',
  async (t) => {
    const { examinations, handle, sent, last } = make(t);
    const gone = new AbortController();
    const asked = examinations.profile(handle, CPU, gone.signal);
    const { seq } = last();
    t.match(await examinations.profile(handle, CPU, gone.signal), { ok: false, reason: /already/ });
    gone.abort();
    t.match(await asked, { ok: false, reason: /nobody waits/ });
    t.match(sent, [
      { type: 'profile', seq },
      { type: 'endProfile', seq },
    ]);
    examinations.answered(1, profiled(seq, { ok: false, aside: false }));
    const again = examinations.profile(handle, CPU, new AbortController().signal);
    examinations.answered(1, profiled(last().seq, { ok: true, aside: false }));
    t.match(await again, { ok: true });
  },
);

t.test('what a worker writes for nobody is removed when it says that it has', async (t) => {
  const { examinations, handle, sent, spares } = make(t);
  const gone = new AbortController();
  const asked = examinations.profile(handle, HEAP, gone.signal);
  const [order] = sent as [Sent];
  gone.abort();
  await asked;
  writeFileSync(order.spare, '{}');
  examinations.answered(1, profiled(order.seq, { ok: true, aside: true }));
  while (existsSync(order.spare)) await settled();
  t.same(spares(), []);
});

t.test('who is killed while it waits leaves no file, and nobody else loses theirs', async (t) => {
  const { folder, examinations, handle } = make(t);
  const idOf = (file: string) => {
    const { dev, ino } = lstatSync(file, { bigint: true });
    return `${dev} ${ino}`;
  };
  const made = path.join(folder, 'made');
  const other = path.join(folder, 'other');
  for (const file of [made, other]) writeFileSync(file, '');
  const kill = async (options: Partial<ProfileOptions>) => {
    const gone = new AbortController();
    const asked = examinations.profile(handle, { ...CPU, ...options }, gone.signal);
    gone.abort();
    t.match(await asked, { ok: false, reason: /nobody waits/ });
  };
  await kill({ file: made, id: idOf(made) });
  await kill({ file: other, id: '1 2' });
  t.same([existsSync(made), existsSync(other)], [false, true]);
});

t.test('a worker is found to hang while its processor is profiled, but not while its heap is', async (t) => {
  const { examinations, handle } = make(t);
  const gone = new AbortController();
  const cpu = examinations.profile(handle, CPU, gone.signal);
  t.notOk(examinations.isBusy(1));
  gone.abort();
  await cpu;
  const other = new AbortController();
  const heap = examinations.profile(handle, HEAP, other.signal);
  t.ok(examinations.isBusy(1));
  other.abort();
  await heap;
  t.notOk(examinations.isBusy(1));
});

t.test('a worker that ends is waited for no longer', async (t) => {
  const { examinations, handle } = make(t);
  const asked = examinations.profile(handle, CPU, new AbortController().signal);
  examinations.forget(1);
  t.match(await asked, { ok: false, reason: 'worker 1 has ended' });
  examinations.forget(1);
});

t.test('what a supervisor before has left of profiles goes, and nothing else', async (t) => {
  const { folder, examinations } = make(t);
  const id = '4711-2-1767225600000';
  const kept = ['.shop.profile', `.shop.two.${id}.profile`, `.other.${id}.profile`, `shop.${id}.profile`, 'shop.sock'];
  for (const name of [`.shop.${id}.profile`, ...kept]) writeFileSync(path.join(folder, name), '');
  examinations.tidy();
  t.same(readdirSync(folder).sort(), kept.toSorted());
  t.doesNotThrow(() => new Examinations('/nowhere', 'shop').tidy());
});
