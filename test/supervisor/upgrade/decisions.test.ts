import t from 'tap';
import { answerOf, judge } from '../../../src/supervisor/upgrade/dry-run.js';
import { whatIsNew } from '../../../src/supervisor/upgrade/installed.js';
import { lackOf, outlivingLack } from '../../../src/supervisor/upgrade/lack.js';

t.test('why a supervisor cannot be replaced', async (t) => {
  const facts = { platform: 'linux', nativeLack: null, selfLack: null } as const;
  t.equal(lackOf(facts), null);
  t.match(lackOf({ ...facts, platform: 'freebsd' }), /^freebsd does not show/);
  t.equal(lackOf({ ...facts, nativeLack: 'koffi cannot be loaded' }), 'koffi cannot be loaded');
  t.equal(lackOf({ ...facts, selfLack: 'a program holds a channel' }), 'a program holds a channel');
});

t.test('which workers would not go on without a supervisor', async (t) => {
  const worker = { worker: 3, missing: [], plain: false, orphanTimeoutMs: 300_000 };
  t.equal(outlivingLack([]), null);
  t.equal(outlivingLack([worker, { ...worker, missing: ['figures: unknown'] }]), null);
  const lacking = { ...worker, missing: ['outliving the supervisor: this version of Node is not known'] };
  t.match(outlivingLack([worker, lacking]), /^worker 3 cannot go on without a supervisor: outliving/);
  t.match(outlivingLack([{ ...worker, missing: ['sockets in custody: none'] }]), /sockets in custody/);
  t.match(outlivingLack([{ ...worker, plain: true }]), /node:cluster looks after its servers/);
  t.match(outlivingLack([{ ...worker, orphanTimeoutMs: 9_999 }]), /^orphanTimeout is 9\.999 s/);
});

t.test('only who says that it would start is believed', async (t) => {
  const versions = { version: '1.2.3', nodeVersion: 'v24.0.0' };
  t.same(judge(0, null, `a word of the configuration\n${answerOf(versions)}`, ''), { ok: true, ...versions });
  t.match(judge(1, null, answerOf(versions), 'holdfast: cannot read it: EACCES\n'), {
    ok: false,
    reason: 'it ended with exit code 1: cannot read it: EACCES',
  });
  t.match(judge(null, 'SIGSEGV', '', ''), { ok: false, reason: 'it was ended by SIGSEGV' });
  for (const said of ['', 'null\n', '{}\n', '{"upgrade":"ok","version":3}\n', '{"upgrade":"no"}']) {
    t.match(judge(0, null, said, 'Usage: …'), { ok: false, reason: /^it does not know what it was asked: Usage/ });
  }
});

t.test('what is installed is told where it is not what runs', async (t) => {
  const running = { holdfast: '1.0.0', node: 'v22.1.0' };
  t.equal(whatIsNew(running, running), null);
  t.same(whatIsNew(running, { ...running, holdfast: '1.0.1' }), { holdfast: '1.0.1' });
  t.same(whatIsNew(running, { holdfast: '0.9.0', node: 'v24.0.0' }), { holdfast: '0.9.0', node: 'v24.0.0' });
});
