/**
 * What one step of the core costs, by the number of slots, and what a look costs at which all queues stand:
 * `node bench/step.js`, after a build.
 */
import { initialState } from '../dist/core/state.js';
import { step } from '../dist/core/step.js';

const ROUNDS = 400;
const KEY = '0.0.0.0:80';

const policy = {
  ready: 'listening',
  readyTimeoutMs: 30_000,
  health: false,
  healthIntervalMs: 1_000,
  soakMs: 0,
  surge: 1,
  maxDraining: 3,
  drainTimeoutMs: 30_000,
  spreadMs: 5_000,
  killTimeoutMs: 5_000,
  backoffBaseMs: 100,
  backoffMaxMs: 30_000,
  backoffFactor: 2,
  backoffResetMs: 60_000,
  maxRestarts: 10,
  restartWindowMs: 60_000,
  onCrashLoop: 'keep',
  stopExitCodes: [],
  slowStartMs: 0,
};

/** A supervisor whose slots are all ready. */
function running(size) {
  const state = initialState({ size, listenMode: 'reuseport', steered: true, policy });
  step(state, [{ type: 'start' }], 0);
  for (let slot = 0; slot < size; slot++) {
    const socket = { slot, key: KEY };
    step(
      state,
      [
        { type: 'socketOpened', socket },
        { type: 'bound', worker: slot + 1, key: KEY },
      ],
      1,
    );
  }
  if (state.phase !== 'running') throw new Error(`it does not run: ${state.phase}`);
  return state;
}

function timed(act) {
  const from = performance.now();
  act();
  return performance.now() - from;
}

function median(values) {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

console.log('slots  step, ms  a look with all queues standing, ms');
for (const size of [2, 64, 256]) {
  const state = running(size);
  const event = { type: 'spawned', worker: 1, pid: 7 };
  const steps = Array.from({ length: ROUNDS }, (_none, i) => timed(() => step(state, [event], 2 + i)));
  const looks = Array.from({ length: 9 }, (_none, round) => {
    const standing = running(size);
    const events = Array.from({ length: size }, (_none2, slot) => ({
      type: 'congested',
      socket: { slot, key: KEY },
      helpers: [(slot + 1) % size],
    }));
    return timed(() => step(standing, events, 10 + round));
  });
  console.log(`${String(size).padStart(5)}  ${median(steps).toFixed(3).padStart(8)}  ${median(looks).toFixed(2)}`);
}
