/**
 * `npm run bench:chaos`: everything at once that can happen to a supervisor, under load, and whether it costs a request that it
 * should not. Ends with 1 if it does, or if the supervisor is not well afterwards.
 *
 * node bench/chaos.js [--seconds 600] [--seed N] [--listen-mode reuseport|reuseaddr]
 *   [--only reload,kill] [--without siege] [--json] [--verbose]
 *
 * Some faults need root: a full disk (a tmpfs), and stalls of everything (a freezer cgroup). Without it they are left out.
 */
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { FAULTS, WEIGHTS } from './support/chaos-faults.js';
import { describeSockets, openFiles } from './support/chaos-proc.js';
import { Dice, monotonicMs } from './support/chaos-random.js';
import { SIZE, World } from './support/chaos-world.js';
import { end, pause, start } from './support/launch.js';

const FRESH = 12;
const KEPT = 20;
const AT_ONCE = 4;
const PAUSE_MS = [50, 1_400];
/** Drains and hangs that are under way are over by then, and what was removed is there again. */
const CALM_MS = 80_000;
const MORE_MB = 40;
/** Files about workers are given up 60 to 90 s after the last question. */
const FORGOTTEN_MS = 100_000;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '600' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 32) },
    'listen-mode': { type: 'string', default: 'reuseport' },
    only: { type: 'string' },
    without: { type: 'string' },
    json: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
});
const seed = Number(values.seed);
const seconds = Number(values.seconds);
const listenMode = values['listen-mode'];
const weights = Object.fromEntries(
  Object.entries(WEIGHTS)
    .filter(([name]) => values.only?.split(',').includes(name) ?? true)
    .filter(([name]) => !values.without?.split(',').includes(name)),
);
console.error(`chaos: ${seconds} s, --listen-mode ${listenMode}, --seed ${seed}`);

const world = new World({ seed, listenMode, isVerbose: values.verbose });
let report;
let load;
try {
  await world.start();
  load = startLoad();
  // What a supervisor takes on with its first drains and answers is no leak.
  await calm();
  const before = { files: openFiles(world.pid).kinds, mb: world.rssMb() };
  const counts = await rage();
  const problems = (await settled()).concat(await calm(before.files));
  await world.requests.answered();
  const code = await world.command('status', '--json');
  if (code !== 0) problems.push(`status ended with ${code}`);
  const after = { files: openFiles(world.pid).kinds, mb: world.rssMb() };
  if (after.mb > before.mb + MORE_MB) problems.push(`memory: ${before.mb} MB before, ${after.mb} MB after`);
  if (world.requests.answers.unanswered > 0)
    problems.push(`${world.requests.answers.unanswered} requests to the supervisor were not answered`);
  for (const { err, during, origin } of world.faultLines) {
    problems.push(`fault in the supervisor (${during ?? origin}): ${err?.stack ?? err}`);
  }
  const { errors, totals } = await load.stop();
  const judged = world.blame.judge(errors, path.join(world.folder, 'connections'));
  const lost = judged.filter(({ excuse }) => excuse === null).map(since);
  const stopped = await world.stop();
  if (stopped !== 0) problems.push(`the supervisor ended with ${stopped} when it was stopped`);
  const left = world.processes();
  if (left.length > 0) problems.push(`left behind: ${left.join(' ')}`);
  report = {
    seed,
    listenMode,
    seconds,
    faults: counts,
    load: totals,
    excused: tally(judged.flatMap(({ excuse }) => excuse ?? [])),
    lost,
    problems,
    control: world.requests.answers,
    seen: world.seen,
    supervisor: { mb: [before.mb, after.mb], openFiles: [before.files, after.files] },
  };
} catch (error) {
  // Before what is done about it may fail as well.
  console.error(error);
  throw error;
} finally {
  await load?.end();
  await world.remove();
}
if (values.json) console.log(JSON.stringify(report));
else console.dir(report, { depth: 4, maxArrayLength: 20 });
process.exitCode = report.lost.length + report.problems.length === 0 ? 0 : 1;

/** Faults one after the other, and some at the same time, until the time is up. @returns how many of each */
async function rage() {
  const { dice } = world;
  if (!world.hasDisk) delete weights.fillDisk;
  if (!world.canStall) delete weights.stall;
  const counts = {};
  const running = new Map();
  const endsAt = monotonicMs() + seconds * 1_000;
  while (monotonicMs() < endsAt && world.endedWith === undefined) {
    const name = dice.weighted(weights);
    // Drawn in any case: what is left out must not change what follows.
    const seedOfIts = dice.between(0, 2 ** 32);
    if (!running.has(name) && running.size < AT_ONCE) {
      counts[name] = (counts[name] ?? 0) + 1;
      world.say(name);
      running.set(
        name,
        FAULTS[name](world, new Dice(seedOfIts)).finally(() => running.delete(name)),
      );
    }
    await pause(dice.between(...PAUSE_MS));
  }
  await Promise.all(running.values());
  if (world.endedWith !== undefined)
    throw new Error(`the supervisor ended with ${world.endedWith}\n${world.complaint}`);
  return counts;
}

/** The last thing that it does is a rollout, after which it tidies up. @returns as below */
async function calm(files) {
  await world.control('POST', '/reload');
  await world.status();
  return settled(files);
}

/** Until all is well. @param files the open ones of before, by kind @returns what is not well when the time is over */
async function settled(files) {
  const endsAt = monotonicMs() + CALM_MS;
  let unhealthy;
  do {
    await pause(250);
    const status = await world.status();
    unhealthy = status === null ? ['status is not available'] : faultsOf(status);
    if (files !== undefined) unhealthy.push(...moreFiles(files));
    if (status !== null && status.size !== SIZE) await world.control('POST', '/scale', { change: String(SIZE) });
  } while (unhealthy.length > 0 && monotonicMs() < endsAt);
  return unhealthy;
}

function faultsOf({ state, size, rollout, workers, addresses }) {
  const found = [];
  if (state !== 'running') found.push(`it is ${state}`);
  if (size !== SIZE) found.push(`it has ${size} slots instead of ${SIZE}`);
  if (rollout.state === 'running') found.push('a rollout runs');
  const slots = workers.filter((worker) => worker.state === 'ready').map(({ slot }) => slot);
  if (new Set(slots).size !== SIZE || slots.length !== SIZE)
    found.push(`workers of slots ${slots.join(', ')} are ready`);
  if (workers.length !== SIZE) found.push(`workers: ${workers.map((one) => `${one.pid} ${one.state}`).join(', ')}`);
  const sockets = addresses.map((one) => one.sockets.length).join();
  if (sockets !== String(listenMode === 'reuseport' ? SIZE : 1)) found.push(`sockets: ${sockets}`);
  const pids = [world.pid, ...workers.map(({ pid }) => pid)].sort();
  const present = world.processes().sort();
  if (String(pids) !== String(present)) found.push(`processes: ${present} instead of ${pids}`);
  return found;
}

function moreFiles(before) {
  const { kinds, about } = openFiles(world.pid);
  const found = [];
  const [was, is] = [before, kinds].map((counts) => JSON.stringify(Object.entries(counts).sort()));
  if (was !== is) found.push(`open files: ${was} before, ${is} after: ${describeSockets(world.pid).join('; ')}`);
  const most = SIZE + world.startedWithin(FORGOTTEN_MS);
  if (about > most) found.push(`open files about ${about} workers, and no more than ${most} were there`);
  return found;
}

function startLoad() {
  const script = path.join(path.dirname(fileURLToPath(import.meta.url)), 'support/chaos-client.js');
  const child = start(process.execPath, [script, world.port, FRESH, KEPT, seed].map(String), {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  world.take(child);
  const errors = [];
  let totals;
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (text) => {
    const line = JSON.parse(text);
    if (line.totals !== undefined) ({ totals } = line);
    else errors.push(line);
  });
  const closed = new Promise((resolve) => lines.once('close', resolve));
  return {
    async stop() {
      child.stdin.write('stop\n');
      await closed;
      return { errors, totals };
    },
    end: () => end(child, 'SIGKILL'),
  };
}

/** Times as in what `--verbose` tells, in seconds. */
function since({ connectedAt, sentAt, failedAt, ...error }) {
  const [connected, sent, failed] = [connectedAt, sentAt, failedAt].map((at) => (at - world.beganAt) / 1_000);
  return { ...error, connected, sent, failed };
}

function tally(names) {
  const counts = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
