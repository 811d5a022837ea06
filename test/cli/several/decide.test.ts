import t from 'tap';
import {
  beginning,
  decide,
  type ParentEffect,
  type ParentEvent,
  type ParentState,
} from '../../../src/cli/several/decide.js';

const NAMES = ['api', 'worker', 'bot'];

/** What comes of the events, one after the other. */
function course(events: readonly ParentEvent[], names = NAMES): { state: ParentState; effects: ParentEffect[] } {
  let state = beginning(names);
  const effects: ParentEffect[] = [];
  for (const event of events) {
    const decision = decide(state, event);
    state = decision.state;
    effects.push(...decision.effects);
  }
  return { state, effects };
}

const ended = (name: string, code: number | null = 0, signal: NodeJS.Signals | null = null): ParentEvent => ({
  type: 'ended',
  name,
  code,
  signal,
});
const said = (name: string): ParentEvent => ({ type: 'saidSomething', name });
const signalled = (signal: NodeJS.Signals): ParentEvent => ({ type: 'signalled', signal });
const signals = (effects: readonly ParentEffect[]) =>
  effects.flatMap((effect) => (effect.do === 'signal' ? [`${effect.name} ${effect.signal}`] : []));
const ends = (effects: readonly ParentEffect[]) =>
  effects.flatMap((effect) => (effect.do === 'end' ? [effect.exitCode] : []));
const told = (effects: readonly ParentEffect[]) =>
  effects.flatMap((effect) => (effect.do === 'tell' ? [effect.text] : []));

t.test('it ends with 0 when all have ended with 0, and goes on until then', async (t) => {
  const { effects: two } = course([ended('api'), ended('worker')]);
  t.same(ends(two), []);
  t.same(signals(two), [], 'who has nothing left to do does not stop the others');
  t.same(told(two), ['api has ended; worker, bot go on', 'worker has ended; bot goes on']);
  t.same(ends(course([ended('api'), ended('worker'), ended('bot')]).effects), [0]);
});

t.test('the first failure stops the others, and is what it ends with', async (t) => {
  for (const [event, exitCode, text] of [
    [ended('worker', 1), 1, 'worker has ended with 1: stopping api, bot'],
    [ended('worker', 2), 2, 'worker has ended with 2: stopping api, bot'],
    [ended('worker', 3), 3, 'worker has ended with 3: stopping api, bot'],
    [ended('worker', 77), 1, 'worker has ended with 77: stopping api, bot'],
    [ended('worker', null, 'SIGKILL'), 1, 'worker was ended by SIGKILL: stopping api, bot'],
    [ended('worker', 143), 1, 'worker has ended with 143: stopping api, bot'],
    [
      { type: 'couldNotStart', name: 'worker', reason: 'EAGAIN' },
      1,
      'worker could not be started: EAGAIN: stopping api, bot',
    ],
  ] as const) {
    const { effects } = course([event]);
    t.same(signals(effects), ['api SIGTERM', 'bot SIGTERM']);
    t.same(told(effects), [text]);
    t.same(ends(effects), [], 'it waits for them');
    t.same(ends(course([event, ended('api', 2), ended('bot')]).effects), [exitCode], 'the first failure counts');
  }
});

t.test('the last one to end may be the one that fails', async (t) => {
  const { effects } = course([ended('api'), ended('bot'), ended('worker', 1)]);
  t.same(ends(effects), [1]);
  t.equal(told(effects).at(-1), 'worker has ended with 1');
  t.same(signals(effects), []);
});

t.test('a stop reaches each of those that are left, and each time anew', async (t) => {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const) {
    const { effects } = course([ended('bot'), signalled(signal), signalled(signal)]);
    t.same(
      signals(effects),
      ['api', 'worker', 'api', 'worker'].map((name) => `${name} ${signal}`),
    );
  }
});

t.test('who is told to end before it can handle that has not failed', async (t) => {
  for (const event of [
    ended('api', null, 'SIGTERM'),
    ended('api', 143),
    ended('api', null, 'SIGINT'),
    ended('api', 130),
  ]) {
    const { effects } = course([signalled('SIGTERM'), event, ended('worker'), ended('bot')]);
    t.same(ends(effects), [0]);
  }
  t.same(ends(course([signalled('SIGTERM'), ended('api', 1), ended('worker'), ended('bot')]).effects), [1]);
  t.same(
    ends(course([signalled('SIGTERM'), ended('api', null, 'SIGKILL'), ended('worker'), ended('bot')]).effects),
    [1],
    'but one that was killed has',
  );
});

t.test('other signals reach those that handle them, and would end nobody', async (t) => {
  for (const signal of ['SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const) {
    const { effects } = course([said('api'), signalled(signal), said('worker')]);
    t.same(signals(effects), [`api ${signal}`], 'what it asks for is under way where one begins');
  }
  for (const signal of ['SIGTTIN', 'SIGTTOU'] as const) {
    const { effects } = course([said('api'), signalled(signal), signalled(signal), said('worker'), said('worker')]);
    t.same(
      signals(effects),
      ['api', 'api', 'worker', 'worker'].map((name) => `${name} ${signal}`),
      'what it asks for waits',
    );
  }
  const { state } = course([signalled('SIGTTIN'), ended('api')]);
  t.same(Object.keys(state.waiting), ['worker', 'bot'], 'and is forgotten with who has gone');
  const many = course(Array.from({ length: 1_000 }, () => signalled('SIGTTIN')));
  t.equal(many.state.waiting.api?.length, 256);
});

t.test('while they are stopping, nobody is said to go on', async (t) => {
  const { effects } = course([signalled('SIGTERM'), ended('api'), ended('bot'), ended('worker')]);
  t.same(told(effects), ['api has ended; worker, bot not yet', 'bot has ended; worker not yet']);
});

t.test('a terminal that is closed stops all, once', async (t) => {
  const closed: ParentEvent = { type: 'terminalClosed' };
  t.same(signals(course([closed, closed], ['api']).effects), ['api SIGTERM']);
});

t.test('what comes after the end is ignored', async (t) => {
  const { effects } = course([ended('api', 1), ended('api', 0), said('api'), signalled('SIGHUP')], ['api']);
  t.same(ends(effects), [1]);
  t.same(signals(effects), []);
});
