import t from 'tap';
import type { Log } from '../../../src/logs/logger.js';
import { surviveFaults } from '../../../src/supervisor/process/faults.js';

/** What a process does with a fault that nobody catches, without the process. */
function rig() {
  const lines: { readonly message: string; readonly fields: Record<string, unknown> }[] = [];
  const error = (fields: Record<string, unknown>, message: string) => lines.push({ message, fields });
  const forget = surviveFaults({ logger: { error } } as unknown as Log);
  const [listener] = process.listeners('uncaughtException').slice(-1);
  const [rejected] = process.listeners('unhandledRejection').slice(-1);
  if (listener === undefined || rejected === undefined) throw new Error('nobody listens');
  return { lines, forget, thrown: (fault: Error) => listener(fault, 'uncaughtException'), rejected };
}

t.test('a fault is logged with its stack, whatever was thrown', async (t) => {
  const { lines, forget, thrown, rejected } = rig();
  const fault = new Error('of a timer');
  thrown(fault);
  rejected('only a word', Promise.resolve());
  forget();
  t.match(lines, [
    { message: 'fault in the supervisor', fields: { err: fault, origin: 'uncaughtException' } },
    { message: 'fault in the supervisor', fields: { origin: 'unhandledRejection' } },
  ]);
  t.match(lines[1]?.fields.err, { message: 'only a word', stack: /faults/ });
});

t.test('a fault that comes again and again does not fill the log', async (t) => {
  const { lines, forget, thrown } = rig();
  for (let i = 0; i < 1_000; i++) thrown(new Error('again'));
  forget();
  t.equal(lines.length, 10);
});

t.test('nobody listens any more afterwards', async (t) => {
  const before = process.listenerCount('uncaughtException');
  rig().forget();
  t.equal(process.listenerCount('uncaughtException'), before);
});
