import t from 'tap';
import { Debugged, isForDebugging } from '../../../../src/supervisor/workers/process/debugged.js';

const LISTENING = 'Debugger listening on ws://127.0.0.1:9333/0f2c936f-b1cd-4ac9-aab3-f63b0f33d55e';
/** A connection between 127.0.0.1:9333 (hexadecimal 2475) and somebody, in that state. */
const row = (state: string) =>
  `   0: 0100007F:2475 0100007F:C3F2 ${state} 00000000:00000000 00:00000000 00000000     0        0 12345 1 0 100 0 0 10 0`;

t.test('a debugger is attached from when Node says so for as long as its connection is there', async (t) => {
  const proc = t.testdir({ net: { tcp: row('01') }, gone: { net: { tcp: row('06') } } });
  const debugged = new Debugged();
  t.equal(await debugged.isAttached(proc), false);
  debugged.heard(LISTENING);
  t.equal(await debugged.isAttached(proc), false, 'an open inspector is nobody');
  debugged.heard('Debugger attached.');
  t.equal(await debugged.isAttached(proc), true);
  t.equal(await debugged.isAttached(`${proc}/gone`), false);
  debugged.heard('Debugger ending on ws://127.0.0.1:9333/0f2c936f');
  t.equal(await debugged.isAttached(proc), false);
});

t.test('where the system does not tell, who has attached counts as attached', async (t) => {
  const debugged = new Debugged();
  debugged.heard(LISTENING);
  debugged.heard('Debugger attached.');
  t.equal(await debugged.isAttached(t.testdir()), true);
});

t.test('options for debugging are known in both places, and nothing else is taken for one', async (t) => {
  t.ok(isForDebugging(['--inspect'], undefined));
  t.ok(isForDebugging(['--inspect-brk=0'], undefined));
  t.ok(isForDebugging([], '--max-old-space-size=100 --inspect=127.0.0.1:0'));
  t.notOk(isForDebugging(['--inspect-publish-uid=stderr', '--inspect-port=0'], '--trace-warnings'));
});
