/** Who is measured when: everybody in each round, and another one goes first each time, so that drift hits all alike. */
import { CONTENDERS } from './contenders.js';

/** Everybody up at the same time, measured in turn; `warmUp` rounds are not counted. @returns samples by name */
export async function sideBySide(names, options, { rounds, warmUp = 0 }, measures) {
  const all = new Map();
  try {
    for (const name of names) all.set(name, await CONTENDERS[name].start(options));
    const found = [];
    for (const measure of measures) {
      const samples = new Map(names.map((name) => [name, []]));
      for (let round = -warmUp; round < rounds; round++) {
        for (const name of inTurn(names, round + warmUp)) {
          const sample = await measure(all.get(name));
          if (round >= 0) samples.get(name).push(sample);
        }
      }
      found.push(samples);
    }
    return found;
  } finally {
    for (const contender of all.values()) await contender.stop();
  }
}

/** One at a time, started anew for each sample: for what leaves its traces. @returns samples by name */
export async function oneByOne(names, options, { rounds }, measure) {
  const samples = new Map(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const name of inTurn(names, round)) {
      const contender = await CONTENDERS[name].start(options);
      try {
        samples.get(name).push(await measure(contender));
      } finally {
        await contender.stop();
      }
    }
  }
  return samples;
}

function inTurn(names, round) {
  const first = round % names.length;
  return [...names.slice(first), ...names.slice(0, first)];
}
