import t from 'tap';
import { eventText, HEARTBEAT, readEvents, type SentEvent } from '../../src/control/server-sent-events.js';

async function eventsOf(text: string): Promise<SentEvent[]> {
  async function* lines() {
    yield* text.split('\n').slice(0, -1);
  }
  const events: SentEvent[] = [];
  for await (const event of readEvents(lines())) events.push(event);
  return events;
}

t.test('what is written is read, whatever is in it', async (t) => {
  const data = { text: 'one\ntwo\r\n: \u2028 ü', none: null };
  const text = `${eventText('progress', data, 3)}\n${HEARTBEAT}\n${eventText('result', {}, 4)}\n`;
  const [first, second] = await eventsOf(text);
  t.match(first, { event: 'progress', id: '3' });
  t.same(JSON.parse(first?.data ?? ''), data);
  t.same(second, { event: 'result', id: '4', data: '{}' });
});

t.test('it is read as the standard says', async (t) => {
  t.same(await eventsOf('data: one\ndata:two\ndata\n\n'), [{ event: 'message', id: null, data: 'one\ntwo\n' }]);
  t.same(await eventsOf(': a comment\n\nevent: empty\n\nretry: 10\nunknown\n\n'), [], 'without data there is no event');
  t.same(await eventsOf('event: a\nid: 1\ndata: x\n\ndata: y\n\n'), [
    { event: 'a', id: '1', data: 'x' },
    { event: 'message', id: null, data: 'y' },
  ]);
  t.same(await eventsOf('data: cut off\n'), [], 'what has not ended is none');
});
