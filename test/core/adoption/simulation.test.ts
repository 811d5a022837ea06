/**
 * Random courses of things for the table of sockets alone, each from a seed. A failure prints seed and path;
 * `SIMULATION_SEED` and `SIMULATION_PATH` repeat it, `SIMULATION_RUNS` asks for more than the usual number.
 */
import fc from 'fast-check';
import t from 'tap';
import { check } from './invariants.js';
import { courses } from './puppet-course.js';
import { Puppets } from './puppets.js';

const RUNS = Number(process.env.SIMULATION_RUNS ?? 1_000);
const SEED = process.env.SIMULATION_SEED;
const PATH = process.env.SIMULATION_PATH;
const REPEAT = { ...(SEED !== undefined && { seed: Number(SEED) }), ...(PATH !== undefined && { path: PATH }) };

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
  fc.assert(property, { numRuns: RUNS, ...REPEAT });
  t.pass(`${RUNS} runs`);
});
