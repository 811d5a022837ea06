/**
 * `npm run bench:preload`: what the preload costs an application. One worker of holdfast, with one shared socket so that
 * the supervisor has nothing to do, against the same server as a plain process; turn by turn, in one run.
 *
 * ROUNDS and SECONDS say how much, OBSERVED=1 that the worker is asked once a second what it measures of itself. Prints ratios to the plain process, paired by round: their median, and the quartiles.
 */
import { CONTENDERS, takePart } from './support/contenders.js';
import { percentiles } from './support/figures.js';
import { machine } from './support/report.js';
import { sideBySide } from './support/rounds.js';
import { throughput } from './support/scenarios.js';

const ROUNDS = Number(process.env.ROUNDS ?? 15);
const SECONDS = Number(process.env.SECONDS ?? 1);
const KINDS = ['short', 'keep-alive'];

const { names, versions } = await takePart([
  'bare',
  process.env.OBSERVED === '1' ? 'holdfast-observed' : 'holdfast-reuseaddr',
]);
if (names.length < 2) process.exit(1);
const [plain, wrapped] = names;
const measures = KINDS.map((kind) => (contender) => throughput(contender, { seconds: SECONDS, connections: 16, kind }));
const found = await sideBySide(names, { workers: 1 }, { rounds: ROUNDS, warmUp: 1 }, measures);
console.log(`\n${machine(versions)}; ${ROUNDS} rounds of ${SECONDS} s.`);
console.log(`${CONTENDERS[wrapped].title}, one worker, to one plain process:`);
for (const [i, kind] of KINDS.entries()) {
  const [before, after] = [found[i].get(plain), found[i].get(wrapped)];
  for (const [figure, title] of [
    ['rate', 'requests/s'],
    ['cpuMicros', 'CPU per request'],
  ]) {
    const ratios = after.map((sample, round) => sample[figure] / before[round][figure]);
    const [low, median, high] = percentiles(ratios, [0.25, 0.5, 0.75]).map((ratio) => ratio.toFixed(3));
    console.log(`  ${kind.padEnd(10)}  ${title.padEnd(15)}  ${median}  (${low} to ${high})`);
  }
}
