import t from 'tap';
import { ANSWERS_A_SECOND, AnswerLimit } from '../../../src/control/admin/answer-limit.js';

t.test('so many answers are given at once, and so many more in each second', async (t) => {
  const limit = new AnswerLimit<string>();
  const given = (now: number, times: number) =>
    Array.from({ length: times }, () => limit.mayAnswer('metrics', now)).filter(Boolean).length;
  t.equal(given(1_000, 80), ANSWERS_A_SECOND, 'at once');
  t.equal(given(1_100, 80), ANSWERS_A_SECOND / 10, 'a tenth of a second later');
  t.equal(given(60_000, 80), ANSWERS_A_SECOND, 'they do not add up for longer');
  t.equal(given(60_019, 80), 0, 'a part of one is none');
  t.equal(given(60_020, 80), 1, 'and is not lost');
});

t.test('answers of one kind take nothing from another', async (t) => {
  const limit = new AnswerLimit<string>();
  while (limit.mayAnswer('open', 0));
  t.equal(limit.mayAnswer('metrics', 0), true);
  t.equal(limit.mayAnswer('open', 0), false);
});
