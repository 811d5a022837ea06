/**
 * Random take-overs, each from a seed: workers that are there, late, lost or stuck, in any order and of any generation, while
 * the owner asks for things. `simulate.ts` tells how to repeat one.
 */
import fc from 'fast-check';
import t from 'tap';
import { check } from './adoption/invariants.js';
import { simulate } from './simulate.js';
import { setups } from './support/takeover-course.js';
import { World } from './support/takeover-world.js';

const LONG_MS = 60_000;

function isStopped({ state }: World): boolean {
  return state.phase === 'stopped';
}

t.test(
  'whoever is there, late, lost or stuck: each slot has one worker in the end, and nothing starts before',
  async (t) => {
    const property = fc.property(setups, (setup) => {
      const world = new World(setup);
      world.drive(LONG_MS);
      world.checkRest();
      if (world.state.phase === 'stopped') return;
      world.request('stop');
      world.drive(world.clock.now + LONG_MS);
      world.checkRest();
      check(isStopped(world), 'a stop comes to its end', world.state);
    });
    t.pass(`${simulate(property, 2_000)} runs`);
  },
);
