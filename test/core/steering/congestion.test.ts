import t from 'tap';
import {
  answered,
  averageAt,
  deservesSecondLook,
  isAtRest,
  isAvoided,
  isBlocked,
  isCalm,
  isIdle,
  needsAnyHelp,
  type Patience,
  type QueueState,
  quietQueue,
  reliefAt,
  sample,
} from '../../../src/core/steering/congestion.js';

const PATIENCE: Patience = { suspectAfterMs: 2, adoptAfterMs: 20, sticky: false };

/** Looks at the queue every `everyMs` until `untilMs`; `length` tells what is found. */
function watch(
  from: QueueState,
  { fromMs, untilMs, everyMs = 2 }: { fromMs: number; untilMs: number; everyMs?: number },
  length: (now: number) => number,
): QueueState {
  let queue = from;
  for (let now = fromMs; now <= untilMs; now += everyMs) queue = sample(queue, length(now), now, PATIENCE);
  return queue;
}

t.test('a connection that has just come is no suspicion, but worth a second look', async (t) => {
  const queue = sample(quietQueue(0), 1, 5, PATIENCE);
  t.notOk(isBlocked(queue));
  t.ok(deservesSecondLook(queue, PATIENCE));
  const empty = sample(queue, 0, 7, PATIENCE);
  t.notOk(isBlocked(empty));
  t.notOk(deservesSecondLook(empty, PATIENCE));
});

t.test('a queue that is still not empty a moment later makes its worker a suspect', async (t) => {
  const queue = sample(sample(quietQueue(0), 1, 5, PATIENCE), 1, 7, PATIENCE);
  t.ok(isBlocked(queue));
  t.notOk(queue.congested, 'what waits there is not given away yet');
});

t.test('what has waited for adoptAfter is given to others', async (t) => {
  const before = watch(quietQueue(0), { fromMs: 1, untilMs: 19 }, () => 1);
  t.notOk(before.congested);
  t.ok(watch(before, { fromMs: 21, untilMs: 21 }, () => 1).congested);
});

t.test('a suspect gets nothing until it answers, though its queue is empty', async (t) => {
  const queue = watch(quietQueue(0), { fromMs: 1, untilMs: 10_000 }, (now) => (now < 30 ? 1 : 0));
  t.ok(isBlocked(queue), 'siblings have emptied it; the worker has not said a word');
  t.ok(queue.congested);
  const alive = answered(queue, 10_001);
  t.notOk(isBlocked(alive));
  t.equal(alive.falseAlarms, 0, 'it was no false alarm');
});

t.test('a congestion ends a while after the queue has become short, not at the first moment of peace', async (t) => {
  let queue = answered(
    watch(quietQueue(0), { fromMs: 1, untilMs: 29 }, () => 1),
    30,
  );
  queue = watch(queue, { fromMs: 31, untilMs: 100, everyMs: 5 }, () => 0);
  t.ok(queue.congested);
  queue = watch(queue, { fromMs: 101, untilMs: 200, everyMs: 5 }, () => 0);
  t.notOk(queue.congested);
});

t.test('who blocks again and again is helped all the time, until it has been well for long', async (t) => {
  let queue = quietQueue(0);
  let congestions = 0;
  /** Blocked for 50 ms, ten times a second; a sibling that helps empties the queue at once. */
  const relapse = (fromMs: number, untilMs: number) => {
    for (let now = fromMs; now < untilMs; now += 2) {
      const before = queue.congested;
      queue = sample(queue, now % 100 < 50 && !before ? 1 : 0, now, PATIENCE);
      if (queue.congested && !before) congestions += 1;
      if (queue.askedAt !== null && now % 100 >= 50) queue = answered(queue, now);
    }
  };
  relapse(0, 20_000);
  t.ok(congestions < 10, `${congestions} in 20 s`);
  queue = watch(queue, { fromMs: 20_000, untilMs: 60_000, everyMs: 100 }, () => 0);
  t.notOk(queue.congested);
  t.ok(queue.reliefMs > 10_000, `${queue.reliefMs}`);
  queue = watch(queue, { fromMs: 500_000, untilMs: 500_030 }, () => 1);
  t.ok(queue.congested);
  t.ok(queue.reliefMs < 1_000, 'what was long ago does not count');
});

t.test('who is just busy again and again is not helped for longer each time', async (t) => {
  let queue = quietQueue(0);
  let congestions = 0;
  for (let now = 0; now < 20_000; now += 2) {
    const before = queue.congested;
    queue = sample(queue, now % 1_000 < 24 && !before ? 1 : 0, now, { ...PATIENCE, adoptAfterMs: 5 });
    if (queue.congested && !before) congestions += 1;
    // It answers within 16 ms, each time.
    if (queue.askedAt !== null && now - queue.askedAt >= 16) queue = answered(queue, now);
  }
  t.ok(congestions > 5, `${congestions} congestions`);
  t.equal(queue.reliefMs, quietQueue(0).reliefMs);
});

t.test('a calm queue is known to be relieved in time', async (t) => {
  const queue = answered(
    watch(quietQueue(0), { fromMs: 1, untilMs: 29 }, () => 1),
    30,
  );
  t.equal(reliefAt(queue), Number.POSITIVE_INFINITY, 'something waits');
  const calm = sample(queue, 0, 31, PATIENCE);
  t.ok(isCalm(calm) && !isAtRest(calm));
  t.notOk(sample(calm, 0, reliefAt(calm), PATIENCE).congested);
  t.ok(sample(calm, 0, reliefAt(calm) - 1, PATIENCE).congested);
  t.equal(reliefAt(quietQueue(0)), Number.POSITIVE_INFINITY);
});

t.test('a busy worker that answers every time keeps its queue, unless it cannot cope at all', async (t) => {
  let queue = quietQueue(0);
  const work = (fromMs: number, untilMs: number) => {
    for (let now = fromMs; now <= untilMs; now += 2) {
      queue = sample(queue, 3, now, PATIENCE);
      if (queue.askedAt !== null) queue = answered(queue, now + 1);
    }
  };
  work(0, 200);
  t.notOk(queue.congested);
  work(202, 600);
  t.ok(queue.congested);
});

t.test('a worker whose alarms are mostly false has a moment to answer before it is avoided', async (t) => {
  const asked = { ...quietQueue(0), falseAlarms: 3, standingSince: 50, askedAt: 100 };
  t.notOk(isAvoided(asked, PATIENCE, 104));
  t.ok(isAvoided(asked, PATIENCE, 105));
  t.ok(isAvoided({ ...asked, falseAlarms: 0 }, PATIENCE, 100));
  t.ok(isAvoided({ ...quietQueue(0), standingSince: 50 }, PATIENCE, 50), 'before the second look');
  t.notOk(isAvoided(quietQueue(0), PATIENCE, 0));
});

t.test('where clients belong to their workers none is sent elsewhere on a mere suspicion', async (t) => {
  const sticky = { suspectAfterMs: 1_000, adoptAfterMs: 1_000, sticky: true };
  let queue = quietQueue(0);
  for (let now = 0; now < 1_000; now += 5) {
    queue = sample(queue, 5, now, sticky);
    if (isAvoided(queue, sticky, now) || queue.congested) t.fail(`avoided after ${now} ms`);
  }
  queue = sample(queue, 5, 1_000, sticky);
  t.ok(isAvoided(queue, sticky, 1_000), 'one that hangs is avoided all the same');
});

t.test('who has time is told from who just happens to have an empty queue', async (t) => {
  t.ok(isIdle(quietQueue(0), 0));
  t.notOk(isIdle({ ...quietQueue(0), average: 2 }, 0));
  t.notOk(isIdle({ ...quietQueue(0), askedAt: 1 }, 0));
});

t.test('a burst that is over is forgotten, though nobody looks at the queue again', async (t) => {
  const burst = sample(sample(quietQueue(0), 32, 10, PATIENCE), 0, 12, PATIENCE);
  t.ok(isAtRest(burst));
  t.notOk(isIdle(burst, 12));
  t.ok(isIdle(burst, 200));
  t.equal(averageAt(burst, 1_000), 0);
});

t.test('a worker that is silent for long is helped by anybody', async (t) => {
  const queue = watch(quietQueue(0), { fromMs: 1, untilMs: 3 }, () => 1);
  t.notOk(needsAnyHelp(queue, 50));
  t.ok(needsAnyHelp(queue, 53));
  t.notOk(needsAnyHelp(answered(queue, 60), 120));
});

t.test('false alarms make patient: the number of questions to a busy worker stays small', async (t) => {
  let queue = quietQueue(0);
  let questions = 0;
  // Five milliseconds of work, one of rest, always with connections coming.
  for (let now = 0; now < 10_000; now += 2) {
    queue = sample(queue, now % 6 === 0 ? 0 : 2, now, PATIENCE);
    if (queue.askedAt === null) continue;
    questions += 1;
    queue = answered(queue, now + 1);
  }
  t.ok(questions < 100, `${questions} questions in ten seconds`);
  t.notOk(isBlocked(queue));
});

t.test('also then a worker that blocks is found out within 50 ms', async (t) => {
  let queue = quietQueue(0);
  for (let now = 0; now < 5_000; now += 2) {
    queue = sample(queue, 1, now, PATIENCE);
    if (queue.askedAt !== null) queue = answered(queue, now + 1);
  }
  queue = answered(sample(queue, 0, 5_000, PATIENCE), 5_001);
  let blockedAt = 0;
  for (let now = 5_005; now < 5_200 && blockedAt === 0; now += 5) {
    queue = sample(queue, 1, now, PATIENCE);
    if (isBlocked(queue)) blockedAt = now;
  }
  t.ok(blockedAt > 0 && blockedAt <= 5_055, `found out at ${blockedAt}`);
});

t.test('false alarms are forgotten', async (t) => {
  let queue = { ...quietQueue(0), falseAlarms: 4 };
  queue = watch(queue, { fromMs: 0, untilMs: 6_000, everyMs: 20 }, () => 0);
  t.equal(queue.falseAlarms, 0);
});

t.test('the average follows the length within a few looks and comes to rest at 0', async (t) => {
  const full = watch(quietQueue(0), { fromMs: 5, untilMs: 500, everyMs: 5 }, () => 8);
  t.ok(full.average > 7.9 && full.average <= 8);
  t.equal(watch(full, { fromMs: 505, untilMs: 1_000, everyMs: 5 }, () => 0).average, 0);
  const later = sample(full, 0, 60_000, PATIENCE);
  t.equal(later.average, 0, 'nobody has to look for that');
  t.ok(sample(quietQueue(0), 8, 60_000, PATIENCE).average < 1, 'one look after a long time says little');
});

t.test('an answer that nobody asked for changes nothing', async (t) => {
  const queue = quietQueue(0);
  t.equal(answered(queue, 5), queue);
});
