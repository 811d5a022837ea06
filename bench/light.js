/**
 * `npm run bench:light`: how lightly holdfast starts, answers and sleeps, each figure beside that of what it is compared
 * with, measured in turn; and how it behaves with many workers, connections and reloads.
 *
 * SCENARIOS picks some, RUNS (11) says how often each is measured. Needs Linux, and Node 22.12 or later.
 */
import { rows } from './support/light-rows.js';
import { scale } from './support/light-scale.js';
import { machine } from './support/report.js';

const ROUNDS = Number(process.env.RUNS ?? 11);
const known = { ...rows, ...scale };
const chosen = process.env.SCENARIOS?.split(',') ?? Object.keys(known);
for (const name of chosen) {
  if (known[name] === undefined) {
    throw new Error(`cannot measure ${name}: scenarios are ${Object.keys(known).join(', ')}`);
  }
}

console.log(`${machine()}; minimum / median / maximum of ${ROUNDS} runs`);
for (const name of chosen) {
  console.error(`measuring ${name}`);
  const { title, table } = await known[name](ROUNDS);
  console.log(`\n${name}: ${title}`);
  console.table(table);
}
