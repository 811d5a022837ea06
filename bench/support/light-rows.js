/** What holdfast costs where nothing happens, and how quickly it does what it is told: each beside plain Node. */
import { once } from 'node:events';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { CONTENDERS } from './contenders.js';
import { median } from './figures.js';
import { end, launch, makeFolder, pause, removeFolder, run, start } from './launch.js';
import { installPm2, startPm2 } from './pm2.js';
import { freePort } from './processes.js';
import { oneByOne } from './rounds.js';
import { throughput } from './scenarios.js';
import { bin, cpuMs, firstAnswer, privateMb, serverScript, startSupervisor } from './supervisor.js';

const here = path.dirname(fileURLToPath(import.meta.url));
const clusterScript = path.join(here, '../apps/cluster.cjs');
const example = path.join(here, '../../config/example.yaml');
const SETTLE_MS = 3_000;
const IDLE_MS = 10_000;
const BOOT_MS = 300;
const SECONDS = 2;

export const rows = { start: starts, status, ls, check, memory, idle, many, connection, reload, crash };

async function starts(rounds) {
  const plain = () => firstOf(serverScript, {});
  const found = await inTurn(rounds, {
    'plain node': plain,
    'node:cluster, 2 workers': () => firstOf(clusterScript, { WORKERS: '2' }),
    'holdfast, 2 workers': firstOfHoldfast,
  });
  return { title: 'start to the first answered request, ms; goal: at most 50 more than node:cluster', table: found };
}

async function firstOf(script, env) {
  const port = await freePort();
  const begun = performance.now();
  const child = start(process.execPath, [script], {
    env: { ...process.env, ...env, PORT: String(port) },
    stdio: 'ignore',
  });
  const took = await firstAnswer(port, begun);
  await end(child);
  return took;
}

async function firstOfHoldfast() {
  const port = await freePort();
  const runtimeDir = makeFolder('run-');
  const args = [bin, 'start', serverScript, '-i', '2', '--log-format', 'json'];
  const begun = performance.now();
  const { child, until } = launch(process.execPath, args, {
    PORT: String(port),
    HOLDFAST_RUNTIME_DIR: runtimeDir,
    HOLDFAST_ORPHAN_TIMEOUT: '0',
  });
  const took = await firstAnswer(port, begun);
  await until((line) => line.includes('"msg":"started"'));
  await end(child);
  removeFolder(runtimeDir);
  return took;
}

async function status(rounds) {
  const supervisor = await startSupervisor(2);
  try {
    const table = await inTurn(rounds, {
      'node -e 0': () => timed(['-e', '0']),
      'holdfast status': async () => {
        const from = performance.now();
        await supervisor.command('status');
        return performance.now() - from;
      },
    });
    return { title: 'ms, with 2 workers; goal: at most 50 more', table };
  } finally {
    await supervisor.stop();
  }
}

/** From typing to the answer. PM2 where it can be had. */
async function ls(rounds) {
  const supervisor = await startSupervisor(2);
  const version = await installPm2();
  const pm2 = version === null ? null : await startPm2({ workers: 2 });
  const took = (command) => async () => {
    const from = performance.now();
    await command();
    return performance.now() - from;
  };
  try {
    const table = await inTurn(rounds, {
      'node -e 0': () => timed(['-e', '0']),
      'holdfast ls': took(() => supervisor.command('ls')),
      ...(pm2 !== null && { [`pm2 ls, ${version}`]: took(pm2.list) }),
    });
    return { title: 'ms, with 2 workers; goal: less than PM2', table };
  } finally {
    await pm2?.stop();
    await supervisor.stop();
  }
}

async function check(rounds) {
  const table = await inTurn(rounds, {
    'node -e 0': () => timed(['-e', '0']),
    'holdfast check': () => timed([bin, 'check', example]),
  });
  return { title: 'ms; goal: at most 120 more', table };
}

async function memory(rounds) {
  const ofSupervisor = (workers) => async () => {
    const supervisor = await startSupervisor(workers);
    await pause(SETTLE_MS);
    const mb = privateMb(supervisor.pid);
    await supervisor.stop();
    return mb;
  };
  const table = await inTurn(rounds, {
    'idle node': async () => {
      const child = start(process.execPath, ['-e', 'setInterval(() => {}, 1e6); console.log()'], { stdio: 'pipe' });
      await once(child.stdout, 'data');
      const mb = privateMb(child.pid);
      await end(child);
      return mb;
    },
    'supervisor, 2 workers': ofSupervisor(2),
    'supervisor, 64 workers': ofSupervisor(64),
  });
  return { title: 'private memory, MB; goal: 16 and 24', table };
}

async function idle(rounds) {
  const port = await freePort();
  const cluster = launch(process.execPath, [clusterScript], { WORKERS: '2', PORT: String(port) });
  await cluster.until((line) => line.startsWith('up '));
  const [two, many] = [await startSupervisor(2), await startSupervisor(64)];
  const upgraded = await startSupervisor(64, { args: ['--orphan-timeout', '30s'] });
  const pids = {
    'node:cluster, 2 workers': cluster.child.pid,
    'supervisor, 2 workers': two.pid,
    'supervisor, 64 workers': many.pid,
    'supervisor, 64 workers, after an upgrade': upgraded.pid,
  };
  const used = (pid) => async () => {
    const before = cpuMs(pid);
    await pause(IDLE_MS);
    return cpuMs(pid) - before;
  };
  try {
    await upgraded.command('upgrade', 'bench');
    await pause(SETTLE_MS);
    const table = await inTurn(
      rounds,
      Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, used(pid)])),
    );
    return { title: 'processor time when idle, ms in 10 s; goal: 10 and 40', table };
  } finally {
    await end(cluster.child);
    for (const supervisor of [two, many, upgraded]) await supervisor.stop();
  }
}

async function many(rounds) {
  const samples = { 'start, all 64 ready': [], 'reload, surge 1': [], 'holdfast status': [] };
  for (let round = 0; round < rounds; round++) {
    const supervisor = await startSupervisor(64);
    samples['start, all 64 ready'].push(supervisor.startedMs);
    samples['reload, surge 1'].push(await supervisor.reload());
    const from = performance.now();
    await supervisor.command('status');
    samples['holdfast status'].push(performance.now() - from);
    await supervisor.stop();
  }
  return { title: '64 workers, ms; goal: 3000 and 6000', table: tableOf(samples) };
}

/**
 * Bare processes, a shared handle and holdfast. Each sample is of processes of its own: by chance, such as what is compiled when,
 * two that are alike differ by 6 % for as long as they live.
 */
async function connection(rounds) {
  const names = ['bare', 'shared-handle', 'holdfast'];
  const measure = async (contender) => {
    const ofPrimary = () => (contender.primary === null ? 0 : cpuMs(contender.primary));
    const how = { seconds: SECONDS, connections: 32, kind: 'short' };
    await throughput(contender, how);
    const before = ofPrimary();
    const { rate, cpuMicros } = await throughput(contender, how);
    return { cpuMicros, primaryMicros: ((ofPrimary() - before) * 1_000) / (rate * SECONDS) };
  };
  const found = await oneByOne(names, { workers: 2 }, { rounds }, measure);
  const micros = (name) => found.get(name).map(({ cpuMicros }) => cpuMicros);
  const bare = micros('bare');
  const samples = Object.fromEntries(names.map((name) => [CONTENDERS[name].title, micros(name)]));
  samples['holdfast, the supervisor alone'] = found.get('holdfast').map(({ primaryMicros }) => primaryMicros);
  const table = tableOf(samples, 2);
  for (const name of names) {
    table[CONTENDERS[name].title].ratio = median(micros(name).map((value, i) => value / bare[i])).toFixed(3);
  }
  return {
    title: 'processor time for a new connection, all processes, µs; goal: ratio at most 1.03, the supervisor at most 2',
    table,
  };
}

async function reload(rounds) {
  const ofHoldfast = (surge) => async () => {
    const supervisor = await startSupervisor(4, { env: { BOOT_MS: String(BOOT_MS) }, args: ['--surge', surge] });
    const took = await supervisor.reload();
    await supervisor.stop();
    return took;
  };
  const table = await inTurn(rounds, {
    'node:cluster, one by one': async () => {
      const env = { WORKERS: '4', PORT: String(await freePort()), BOOT_MS: String(BOOT_MS) };
      const { child, until } = launch(process.execPath, [clusterScript], env);
      await until((line) => line.startsWith('up '));
      const from = performance.now();
      child.kill('SIGHUP');
      await until((line) => line.startsWith('up '));
      const took = performance.now() - from;
      await end(child);
      return took;
    },
    'holdfast, surge 1': ofHoldfast('1'),
    'holdfast, surge 100%': ofHoldfast('100%'),
  });
  return { title: `a reload of 4 workers that boot in ${BOOT_MS} ms, ms; goal: 1800 and 700`, table };
}

async function crash(rounds) {
  const refused = new Map();
  const table = await inTurn(rounds, {
    'start of plain node': () => firstOf(serverScript, {}),
    'holdfast, from the end of its only worker': async () => {
      const supervisor = await startSupervisor(1);
      const [{ pid }] = (await supervisor.status()).workers;
      process.kill(pid, 'SIGKILL');
      const count = (code) => refused.set(code, (refused.get(code) ?? 0) + 1);
      const took = await firstAnswer(supervisor.port, performance.now(), count);
      await supervisor.stop();
      return took;
    },
  });
  const lost = [...refused].map(([code, count]) => `${count} ${code}`).join(', ') || 'none';
  return { title: `to the first answer, ms; goal: at most 30 more; connections refused or reset: ${lost}`, table };
}

async function timed(args) {
  const from = performance.now();
  await run(process.execPath, args);
  return performance.now() - from;
}

/** Everybody in each round, and another one first each time. */
async function inTurn(rounds, measures) {
  const names = Object.keys(measures);
  const samples = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < names.length; i++) {
      const name = names[(round + i) % names.length];
      samples[name].push(await measures[name]());
    }
  }
  return tableOf(samples);
}

function tableOf(samples, digits = 1) {
  const figure = (value) => Number(value.toFixed(digits));
  return Object.fromEntries(
    Object.entries(samples).map(([name, values]) => [
      name,
      { min: figure(Math.min(...values)), median: figure(median(values)), max: figure(Math.max(...values)) },
    ]),
  );
}
