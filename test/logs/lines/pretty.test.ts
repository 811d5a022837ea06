import t from 'tap';
import { prettifier } from '../../../src/logs/lines/pretty.js';

t.test('colours of a worker pass, and nothing else that a terminal would obey', async (t) => {
  const line = (msg: string, more: object = {}) =>
    prettifier(false)(
      `${JSON.stringify({ level: 'info', time: '2026-01-01T00:00:00.000Z', slot: 1, worker: 2, msg, ...more })}\n`,
    );
  t.match(line('\u001b[31mred\u001b[0m'), '[slot 1 worker 2] \u001b[31mred\u001b[0m\n');
  const evil = line('\u001b]0;title\u0007 1%\r2% \u009b2J \u202e', { address: '\u001b[2J' });
  t.match(evil, '\\u001b]0;title\\u0007 1%\\u000d2% \\u009b2J \\u202e');
  t.match(line('Error: x\n    at y\nINFO: stopped\r\n}'), 'Error: x\n    at y\n    INFO: stopped\n    }\n');
  t.notMatch(evil, /(?!\n)\p{Cc}|\p{Bidi_Control}/u);
});
