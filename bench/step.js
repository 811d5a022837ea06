/**
 * What it costs, by the number of slots, when a worker tells something, when a look finds one queue that stands, and when
 * it finds that all of them do: `node bench/step.js`, after a build.
 */
import { advance, initialSupervision } from '../dist/core/supervision.js';
import { policy } from './support/policy.js';

const ROUNDS = 400;
const KEY = '0.0.0.0:80';

/** A supervisor whose slots are all ready. */
function running(size) {
  const supervision = initialSupervision({ size, listenMode: 'reuseport', steered: true, policy });
  advance(supervision, [{ type: 'start' }], 0);
  for (let slot = 0; slot < size; slot++) {
    const socket = { slot, key: KEY };
    advance(
      supervision,
      [
        { type: 'socketOpened', socket },
        { type: 'bound', worker: slot + 1, key: KEY },
        { type: 'stayed', worker: slot + 1, key: KEY },
      ],
      1,
    );
  }
  const { phase } = supervision.state;
  if (phase !== 'running') throw new Error(`it does not run: ${phase}`);
  return supervision;
}

function timed(act) {
  const from = performance.now();
  act();
  return performance.now() - from;
}

function median(values) {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

/** A queue that stands, and one sibling that has time. */
function congested(slot, size) {
  return { type: 'congested', socket: { slot, key: KEY }, helpers: [(slot + 1) % size] };
}

const HEAD = ['slots', 'a worker tells something, ms', 'one queue stands, ms', 'all queues stand, ms'];
console.log(HEAD.join('  '));
for (const size of [2, 64, 256]) {
  const supervision = running(size);
  const told = { type: 'spawned', worker: 1, pid: 7 };
  const steps = Array.from({ length: ROUNDS }, (_none, i) => timed(() => advance(supervision, [told], 2 + i)));
  // Found and relieved by turns, as one busy queue is.
  const relieved = { type: 'relieved', socket: { slot: 0, key: KEY } };
  const single = Array.from({ length: ROUNDS }, (_none, i) => {
    const cost = timed(() => advance(supervision, [congested(0, size)], 500 + i));
    advance(supervision, [relieved, { type: 'released', worker: 2, socket: relieved.socket }], 500 + i);
    return cost;
  });
  const looks = Array.from({ length: 9 }, (_none, round) => {
    const standing = running(size);
    const events = Array.from({ length: size }, (_none2, slot) => congested(slot, size));
    return timed(() => advance(standing, events, 10 + round));
  });
  const costs = [steps, single, looks].map((times) => median(times).toFixed(3));
  console.log([String(size), ...costs].map((text, i) => text.padStart(HEAD[i].length)).join('  '));
}
