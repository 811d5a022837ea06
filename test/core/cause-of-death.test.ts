import { spawnSync } from 'node:child_process';
import t from 'tap';
import { causeOfDeath, type Facts } from '../../src/core/cause-of-death.js';

const FACTS: Facts = { code: null, signal: null, lastLines: [], oomKilled: false };
const cause = (facts: Partial<Facts>) => causeOfDeath({ ...FACTS, ...facts });

t.test('every end has a cause', async (t) => {
  t.same(cause({ code: 3 }), { cause: 'exit', text: 'a worker exited with code 3' });
  t.same(cause({ signal: 'SIGSEGV' }), { cause: 'signal', text: 'a worker was ended by SIGSEGV' });
  t.same(cause({ signal: 'SIGKILL' }), { cause: 'signal', text: 'a worker was ended by SIGKILL' });
  t.match(cause({ signal: 'SIGKILL', oomKilled: true }), { cause: 'outOfMemoryKilled', text: /OOM killer/ });
  t.equal(cause({ signal: 'SIGSEGV', oomKilled: true }).cause, 'signal', 'the killer has only one way');
  t.match(cause({ lastLines: ['spawn EAGAIN'] }), { cause: 'notStarted', text: /could not be started: spawn EAGAIN/ });
});

/** The end of a real process, as the supervisor hears of it. */
function run(...args: string[]): Partial<Facts> {
  const { status, signal, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', env: {} });
  return { code: status, signal, lastLines: stderr.split('\n') };
}

t.test('an uncaught error is told from an exit, by what node really prints', async (t) => {
  t.equal(cause(run('-e', 'null.x')).cause, 'uncaught');
  t.equal(cause(run('-e', 'Promise.reject(new RangeError("late"))')).cause, 'uncaught');
  t.equal(cause(run('-e', 'console.error("Error: handled"); process.exit(1)')).cause, 'exit');
});

t.test('the limit of the heap is told from other aborts', async (t) => {
  const script = 'const all = []; for (;;) all.push(new Array(1e5).fill(1))';
  t.equal(cause(run('--max-old-space-size=20', '-e', script)).cause, 'heapOutOfMemory');
  t.equal(cause(run('-e', 'process.abort()')).cause, 'signal');
});
