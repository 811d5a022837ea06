/**
 * `npm run bench`: what holdfast costs, against the same number of bare processes with `reusePort` and no supervisor.
 *
 * The two are measured in turn within one run, round by round, and compared as ratios: absolute figures of a shared
 * machine mean little. Needs Node 22.12 or later, for the bare processes.
 */
import { once } from 'node:events';
import os from 'node:os';
import { end, start } from './support/launch.js';
import { cpuSeconds, load, rssBytes, startBare, startHoldfast } from './support/processes.js';

const WORKERS = 2;
const CONNECTIONS = 32;
const ROUNDS = Number(process.env.ROUNDS ?? 7);
const SECONDS = Number(process.env.SECONDS ?? 3);
const STARTS = Number(process.env.STARTS ?? 15);

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 12)) {
  console.error(`holdfast bench: Node ${process.versions.node} cannot set reusePort: use 22.12 or later`);
  process.exit(2);
}

console.log(`${os.cpus()[0]?.model}, ${os.cpus().length} cores, ${os.type()} ${os.release()}, Node ${process.version}`);
console.log(`${WORKERS} workers, ${CONNECTIONS} connections, ${ROUNDS} rounds of ${SECONDS} s; medians\n`);

const rows = [];
for (const kind of ['keep-alive', 'short']) rows.push(...(await throughput(kind)));
rows.push(await memory(), await startUp());
console.table(rows);

async function throughput(kind) {
  const samples = { bare: [], holdfast: [] };
  const bare = await startBare(WORKERS);
  const holdfast = await startHoldfast(WORKERS, ['--listen-mode', 'reuseport']);
  try {
    for (let round = 0; round <= ROUNDS; round++) {
      // Who goes first changes: whatever drifts, drifts for both.
      const order = round % 2 === 0 ? ['bare', 'holdfast'] : ['holdfast', 'bare'];
      for (const name of order) {
        const target = name === 'bare' ? bare : holdfast;
        const before = cpuSeconds(target.pids);
        const { requests, errors, seconds } = await load(target.port, SECONDS, CONNECTIONS, kind);
        const cpu = cpuSeconds(target.pids) - before;
        if (errors > 0) throw new Error(`${errors} errors under ${name}`);
        // The first round warms up.
        if (round > 0) samples[name].push({ rate: requests / seconds, cpu: (cpu / requests) * 1e6 });
      }
    }
  } finally {
    await bare.stop();
    await holdfast.stop();
  }
  const figure = (name, field) => samples[name].map((sample) => sample[field]);
  return [
    row(`${kind}: requests/s`, figure('bare', 'rate'), figure('holdfast', 'rate'), 'ratio at least 0.97'),
    row(`${kind}: µs of CPU a request, all processes`, figure('bare', 'cpu'), figure('holdfast', 'cpu'), ''),
  ];
}

async function memory() {
  const idle = start(process.execPath, ['-e', 'setInterval(() => {}, 1e6); console.log("up")'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(idle.stdout, 'data');
  const holdfast = await startHoldfast(WORKERS);
  try {
    const [supervisor] = holdfast.pids;
    return row(
      'memory in MB: idle node, supervisor',
      [rssBytes(idle.pid) / 1e6],
      [rssBytes(supervisor) / 1e6],
      'ratio at most 1.5',
    );
  } finally {
    await end(idle);
    await holdfast.stop();
  }
}

async function startUp() {
  const bare = [];
  const workers = [];
  for (let i = 0; i < STARTS; i++) {
    const plain = await startBare(1);
    bare.push(...plain.readyMs);
    await plain.stop();
    const holdfast = await startHoldfast(1);
    workers.push(...holdfast.readyMs);
    await holdfast.stop();
  }
  return row('start-up in ms: node app.js, worker', bare, workers, 'at most 30 more');
}

function row(what, bare, holdfast, aim) {
  const pairs = bare.map((value, i) => holdfast[i] / value);
  return {
    what,
    bare: round(median(bare)),
    holdfast: round(median(holdfast)),
    ratio: median(pairs).toFixed(3),
    aim,
  };
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function round(value) {
  return Number(value.toPrecision(4));
}
