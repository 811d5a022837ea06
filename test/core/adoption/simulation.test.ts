/** Random courses of things for the table of sockets alone, each from a seed. `../simulate.ts` tells how to repeat one. */
import fc from 'fast-check';
import t from 'tap';
import { simulate } from '../simulate.js';
import { check } from './invariants.js';
import { courses } from './puppet-course.js';
import { Puppets } from './puppets.js';

/** Longer than any congestion and backoff of the simulated world, and than six sockets take to retire one by one. */
const LONG_MS = 60_000;

t.test('whoever comes, goes and crashes: every queue is served, and nothing is closed that anybody uses', async (t) => {
  const property = fc.property(courses, (course) => {
    const world = new Puppets(course);
    world.drive(course.deeds.reduce((sum, { afterMs }) => sum + afterMs, 0) + LONG_MS);
    // Where effects fail, the end of a socket may be tried again and again.
    if (course.faults > 0) world.drive(world.clock.now + 5 * LONG_MS);
    check(world.isQuiet, 'it comes to rest', world.table);
    world.checkRest();
  });
  t.pass(`${simulate(property, 1_000)} runs`);
});
