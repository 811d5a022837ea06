/** Many workers, many connections, many reloads: what grows, and what must not. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { errorText, median } from './figures.js';
import { end, launch } from './launch.js';
import { policy } from './policy.js';
import { withClients } from './standing-clients.js';
import { openFiles, privateMb, startSupervisor } from './supervisor.js';

const here = path.dirname(fileURLToPath(import.meta.url));
const CONNECTIONS = Number(process.env.CONNECTIONS ?? 10_000);
const RELOADS = Number(process.env.RELOADS ?? 1_000);
/** After so many of them whatever is filled once has been. */
const WARM = Math.min(50, Math.ceil(RELOADS / 2));
const RATE = 50;

export const scale = { crowd, endurance, step };

/** CONNECTIONS open connections over 4 workers, through 5 reloads. */
async function crowd() {
  const supervisor = await startSupervisor(4);
  try {
    const { result: table, counts } = await withClients('crowd-client.js', [supervisor.port, CONNECTIONS, 3_000], () =>
      reloads(supervisor, 5),
    );
    const { answered, errors } = counts;
    return { title: `${CONNECTIONS} connections, ${answered} requests answered, errors: ${errorText(errors)}`, table };
  } finally {
    await supervisor.stop();
  }
}

async function reloads(supervisor, times) {
  const table = {};
  for (let i = 1; i <= times; i++) table[`reload ${i}`] = { ms: Math.round(await supervisor.reload()) };
  return table;
}

/** RELOADS reloads in a row under a light load, in both modes: what the supervisor holds after a few, and in the end. */
async function endurance() {
  const table = {};
  for (const mode of ['reuseport', 'reuseaddr']) {
    const supervisor = await startSupervisor(2, { nodeArgs: ['--inspect=127.0.0.1:0'], args: ['--listen-mode', mode] });
    const tail = launch(
      process.execPath,
      [path.join(here, 'tail-client.js'), supervisor.port, 86_400, RATE, 0, 0].map(String),
    );
    try {
      let warm;
      const times = [];
      for (let i = 1; i <= RELOADS; i++) {
        times.push(await supervisor.reload());
        if (i === WARM) warm = await holdings(supervisor);
      }
      const last = await holdings(supervisor);
      for (const name of Object.keys(warm)) {
        table[`${mode}: ${name}`] = { [`after ${WARM}`]: warm[name], [`after ${RELOADS}`]: last[name] };
      }
      table[`${mode}: a reload, ms (median)`] = { [`after ${RELOADS}`]: Math.round(median(times)) };
    } finally {
      await end(tail.child, 'SIGKILL');
      await supervisor.stop();
    }
  }
  return { title: `${RELOADS} reloads of 2 workers with ${RATE} requests/s`, table };
}

/** What it holds once it has come to rest. */
async function holdings({ pid, inspector }) {
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  const text = await inspector(`JSON.stringify({
    timers: process.getActiveResourcesInfo().filter((one) => one === 'Timeout').length,
    resources: process.getActiveResourcesInfo().length,
    listeners: process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0),
  })`);
  return { 'private memory, MB': Number(privateMb(pid).toFixed(1)), 'open files': openFiles(pid), ...JSON.parse(text) };
}

/** One step of the core: when nothing happens, and while a reload goes through all slots. */
async function step(rounds) {
  const core = await import('../../dist/core/supervision.js');
  const table = {};
  for (const size of [2, 64, 256]) {
    const [idle, rolling] = [[], []];
    for (let round = 0; round < rounds; round++) {
      const world = new World(core, size);
      idle.push(world.time(() => world.send({ type: 'ticked' }), 2_000));
      rolling.push(world.timeReload());
    }
    table[`${size} slots`] = { 'idle, µs': idle, 'in a reload, µs': rolling };
  }
  for (const row of Object.values(table)) {
    for (const [name, values] of Object.entries(row)) row[name] = Number(median(values).toFixed(1));
  }
  return { title: 'one step of the core, median', table };
}

const KEY = '0.0.0.0:8080';

/** Workers that do at once what the core asks of them. */
class World {
  #core;
  #supervision;
  #now = 1_000;
  steps = 0;

  constructor(core, size) {
    this.#core = core;
    this.#supervision = core.initialSupervision({ size, listenMode: 'reuseport', steered: true, policy });
    this.run({ type: 'start' });
  }

  send(event) {
    this.steps += 1;
    this.#now += 1;
    const { effects, faults } = this.#core.advance(this.#supervision, [event], this.#now);
    if (faults.length > 0) throw faults[0].error;
    return effects;
  }

  /** Does what the core asks for, until it asks for nothing more. */
  run(first) {
    const events = [first];
    for (let event = events.shift(); event !== undefined; event = events.shift()) {
      for (const effect of this.send(event)) {
        if (effect.do === 'spawn') {
          const { worker, slot } = effect;
          events.push({ type: 'spawned', worker, pid: worker });
          events.push(
            { type: 'socketOpened', socket: { slot, key: KEY } },
            { type: 'bound', worker, key: KEY },
            { type: 'stayed', worker, key: KEY },
          );
        } else if (effect.do === 'drain') {
          events.push({ type: 'drained', worker: effect.worker });
        } else if (effect.do === 'terminate') {
          const how = { code: 0, signal: null, chance: 0.5, lastLines: [] };
          events.push({ type: 'exited', worker: effect.worker, ...how });
        }
      }
    }
  }

  /** @returns µs a step */
  time(act, times) {
    const from = performance.now();
    for (let i = 0; i < times; i++) act();
    return ((performance.now() - from) * 1_000) / times;
  }

  timeReload() {
    const before = this.steps;
    const from = performance.now();
    this.run({ type: 'reload', request: 1, policy, size: null, canary: null });
    const { rollout } = this.#supervision.state;
    if (rollout.state !== 'done') throw new Error(`the reload is ${rollout.state}`);
    return ((performance.now() - from) * 1_000) / (this.steps - before);
  }
}
