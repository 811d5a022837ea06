/** Random courses of things, each from a seed. `simulate.ts` tells how to repeat one. */
import fc from 'fast-check';
import t from 'tap';
import { check } from './adoption/invariants.js';
import { type Action, actions, anyRelease, type Release, releases, type Setup, setups } from './course.js';
import { GOOD } from './process.js';
import { simulate } from './simulate.js';
import { World } from './world.js';

// A minute of work, of which a busy machine gives it a tenth of a processor.
t.setTimeout(1_200_000);

/** Longer than any rollout, drain and backoff of the simulated world. */
const LONG_MS = 40_000;
/** A stop takes at most the time to drain, to end and to be killed, or that to find out where a worker hangs. */
const STOP_MS = 3_000;
/** Where kills may fail they are sent again: after 5 s, 10 s, 20 s and so on, each minute in the end. */
const STUBBORN_MS = 3_600_000;

function lastAction(setup: Setup): number {
  return setup.actions.reduce((sum, { afterMs }) => sum + afterMs, 0);
}

function isGood(release: Release | undefined): boolean {
  return release !== undefined && GOOD.includes(release.quality);
}

/** Whatever has happened: a stop brings everything to its end in time. */
function stopInTheEnd(world: World, setup: Setup): void {
  world.act({ do: 'stop', afterMs: 0 });
  world.drive(world.clock.now + (setup.faults > 0 ? STUBBORN_MS : STOP_MS));
  check(world.state.phase === 'stopped' && world.invariants.ends === 1, 'a stop comes to its end', world.state);
  for (const process of world.processes.values()) check(!process.alive, 'no process is left', process.id);
  check(world.invariants.answers.size === world.requests, 'every request is answered', [...world.invariants.answers]);
}

t.test('whatever happens, every invariant holds after every step, and every request is answered', async (t) => {
  const everything = fc.property(setups(anyRelease, actions(anyRelease), true), (setup) => {
    const world = new World(setup);
    world.drive(lastAction(setup) + LONG_MS);
    const isOpen = () => world.invariants.answers.size < world.requests || (isGood(world.target) && !world.isQuiet);
    const from = world.clock.now;
    for (let waitedMs = LONG_MS; setup.faults > 0 && waitedMs < STUBBORN_MS && isOpen(); waitedMs += LONG_MS) {
      world.drive(from + waitedMs);
    }
    check(world.invariants.answers.size === world.requests, 'every request is answered', [...world.invariants.answers]);
    if (world.state.phase === 'running' && isGood(world.target)) {
      check(world.isQuiet, 'good releases come to rest', world.state);
      world.checkRest();
    }
    stopInTheEnd(world, setup);
  });
  t.pass(`${simulate(everything, 1_000)} runs`);
});

t.test('a first release that is good stays fully up through any rollouts of releases that never serve', async (t) => {
  const failing = releases(
    'good',
    'slow',
    'looks',
    'probes',
    'neverReady',
    'crashesAtStart',
    'listensElsewhere',
    'cannotBind',
  );
  const reload = fc.record({
    afterMs: fc.integer({ min: 0, max: 3_000 }),
    do: fc.constant('reload'),
    release: failing,
  });
  const calm = setups(
    releases('good'),
    reload.map((action) => ({ ...action, size: null }) as Action),
  );
  const property = fc.property(calm, (setup) => {
    const world = new World(setup);
    let announced = false;
    world.onStep = (state) => {
      announced ||= state.phase === 'running';
      if (!announced) return;
      const ready = state.workers.filter((worker) => worker.state === 'ready').length;
      check(ready >= setup.size, 'no rollout costs a ready worker', state);
    };
    world.drive(lastAction(setup) + LONG_MS);
    check(announced && world.isQuiet && isGood(world.target), 'a good release has the last word', world.state);
    world.checkRest();
    const asked = setup.actions.length;
    check(world.invariants.answers.size === asked, 'every request is answered', [...world.invariants.answers]);
    world.onStep = () => {};
    stopInTheEnd(world, setup);
  });
  t.pass(`${simulate(property, 1_000, 1 / 4)} runs`);
});

t.test('the last of several good releases is what runs in the end', async (t) => {
  const good = releases('good', 'slow', 'looks', 'probes');
  const property = fc.property(setups(good, actions(good)), good, (setup, last) => {
    const world = new World({
      ...setup,
      actions: setup.actions.filter((action) => action.do !== 'stop' && action.do !== 'stopNow'),
    });
    world.drive(lastAction(setup) + LONG_MS);
    // Where every worker of the first start was killed, there is nothing left to reload.
    if (world.state.phase === 'stopped') return;
    world.act({ do: 'reload', release: last, size: 2, afterMs: 0 });
    world.drive(world.clock.now + LONG_MS);
    check(world.invariants.answers.get(world.requests) === true, 'the reload succeeds', world.state);
    check(world.target === last && world.state.size === 2, 'with all that it brings', world.state);
    world.checkRest();
  });
  t.pass(`${simulate(property, 1_000, 1 / 4)} runs`);
});
