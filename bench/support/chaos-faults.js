/**
 * What a chaos run does to a supervisor and its workers. Each fault takes back what it has done before it resolves, and tells
 * `world.blame` which workers end by it; whatever is not told there must cost no request.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { besiege, block, killAsItIs, misbehave, signalQuietly, stopWorker } from './chaos-harm.js';
import { HANG_MS, SIZE } from './chaos-world.js';
import { pause } from './launch.js';

/** How often each one comes, relative to the others. */
export const WEIGHTS = {
  reload: 10,
  scale: 6,
  kill: 10,
  stopWorker: 8,
  hangWorker: 2,
  block: 4,
  hangByBlock: 1,
  crash: 4,
  forge: 8,
  flood: 1,
  stopSupervisor: 2,
  exhaustFiles: 4,
  fillDisk: 4,
  siege: 2,
  siegeControl: 2,
  signals: 6,
  removeRuntime: 1,
  badRelease: 3,
  restart: 1,
  stall: 4,
};

const ours = (fields) => ['/message', JSON.stringify({ cmd: 'NODE_HOLDFAST', ...fields })];
const nodes = (fields) => ['/message', JSON.stringify({ cmd: 'NODE_CLUSTER', ...fields })];
const pipe = { act: 'queryServer', seq: 1, index: 0, address: '/tmp/chaos-forged', port: -1, addressType: -1, fd: -1 };
/** Each of these is wrong, and fails the worker that says it. */
const FORGERIES = [
  ours({ type: 'leftover' }),
  ours({ type: 'listen', seq: 1 }),
  ours({ type: 'bound', key: '127.0.0.1:1' }),
  ours({ type: 'closed', key: 'nowhere' }),
  ours({ type: 'released', key: '127.0.0.1:1', slot: 7 }),
  ours({ type: 'adopted', key: '127.0.0.1:1', slot: 0, ok: true }),
  ours({ type: 'stats', seq: 1e9, eventLoopDelayMs: 1, connections: 1, accepted: 1, requests: 1 }),
  ours({ type: 'constructor' }),
  nodes({ act: 'queryServer' }),
  nodes({ act: 'close', key: 'nothing' }),
  ['/message', '{"cmd":"NODE_HANDLE","type":"net.Server"}'],
  ['/message', '{"cmd":"NODE_HANDLE_ACK"}'],
  ['/raw', 'plain text\n'],
  ['/raw', '{"half":\n'],
  ['/raw', `${JSON.stringify({ cmd: 'NODE_CLUSTER', flags: 0, ...pipe })}\n`.repeat(2)],
  ['/handle', ''],
];

export const FAULTS = {
  /** Some go away before they are answered, some come in twos. */
  async reload(world, dice) {
    // Whose control socket is away still hears signals.
    const asked = world.control('POST', '/reload').then((answer) => answer === null && world.supervisor.kill('SIGHUP'));
    const all = [asked];
    if (dice.chance(0.3)) all.push(pause(dice.between(0, 300)).then(() => world.control('POST', '/reload')));
    if (dice.chance(0.1)) all.push(pause(dice.between(0, 500)).then(() => world.control('POST', '/abort')));
    // Others go on meanwhile.
    await Promise.race([Promise.all(all), pause(dice.between(0, 3_000))]);
  },

  async scale(world, dice) {
    const to = dice.of(['+1', '-1', String(SIZE), '2', '4', '1']);
    await Promise.race([world.control('POST', '/scale', { change: to }), pause(1_000)]);
  },

  async kill(world, dice) {
    const pids = [...world.workers];
    const count = dice.chance(0.15) ? pids.length : 1;
    for (let i = 0; i < count && pids.length > 0; i++) {
      const [pid] = pids.splice(dice.between(0, pids.length - 1), 1);
      killAsItIs(world, pid, 'kill');
    }
  },

  /** Not for so long that it hangs: all it has is answered afterwards. */
  stopWorker: (world, dice) => stopWorker(world, dice, dice.between(50, HANG_MS - 1_500), null),
  hangWorker: (world, dice) => stopWorker(world, dice, dice.between(HANG_MS + 2_000, HANG_MS + 6_000), 'hangWorker'),

  /** The same for an event loop. */
  block: (world, dice) => block(world, dice.between(100, HANG_MS - 1_500), null),
  hangByBlock: (world, dice) => block(world, dice.between(HANG_MS + 2_000, HANG_MS + 5_000), 'hangByBlock'),

  crash: (world) => misbehave(world, '/crash', '', 'crash'),
  forge: (world, dice) => misbehave(world, ...dice.of(FORGERIES), 'forge'),
  flood: (world) => misbehave(world, '/flood', '', 'flood'),

  async stopSupervisor(world, dice) {
    world.supervisor.kill('SIGSTOP');
    await pause(dice.between(200, HANG_MS + 2_000));
    world.supervisor.kill('SIGCONT');
  },

  /** None is free any more, or just a few. */
  async exhaustFiles(world, dice) {
    const most = Math.max(1, ...readdirSync(`/proc/${world.pid}/fd`).map(Number)) + 1 + dice.of([0, 0, 1, 3]);
    const [soft, hard] = execFileSync(
      'prlimit',
      [`--pid=${world.pid}`, '--nofile', '--output=SOFT,HARD', '--noheadings'],
      {
        encoding: 'utf8',
      },
    )
      .trim()
      .split(/\s+/);
    execFileSync('prlimit', [`--pid=${world.pid}`, `--nofile=${most}:${hard}`]);
    if (dice.chance(0.7)) void world.control('POST', '/reload');
    await pause(dice.between(500, 4_000));
    execFileSync('prlimit', [`--pid=${world.pid}`, `--nofile=${soft}:${hard}`]);
  },

  /** First the blocks, then the inodes. */
  async fillDisk(world, dice) {
    const folder = path.dirname(world.runtimeDir);
    const made = [];
    const fill = (name, size) => {
      const file = path.join(folder, name);
      made.push(file);
      writeFileSync(file, Buffer.alloc(size));
    };
    for (const size of [64 * 1024, 4 * 1024, 0]) {
      try {
        for (let i = 0; ; i++) fill(`fill-${size}-${i}`, size);
      } catch ({ code }) {
        if (code !== 'ENOSPC') throw new Error(`cannot fill the disk: ${code}`);
      }
    }
    if (dice.chance(0.7)) void world.control('POST', '/reload');
    await pause(dice.between(500, 4_000));
    for (const file of made) rmSync(file, { force: true });
  },

  /** Of the admin address: some who say nothing, others who ask more than anybody wants to know. */
  async siege(world, dice) {
    await besiege(
      () => net.connect(world.adminPort, '127.0.0.1'),
      ['GET /livez HT', 'GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n'.repeat(2_000)],
      [70, 4],
      dice.between(500, 3_000),
    );
  },

  async siegeControl(world, dice) {
    const socketPath = path.join(world.runtimeDir, 'chaos.sock');
    await besiege(
      () => net.connect(socketPath),
      [
        'GET /status HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(500),
        'nonsense\r\n\r\n',
        'GET /logs HTTP/1.1\r\nhost: x\r\n\r\n',
      ],
      [2, 2, 4],
      dice.between(300, 1_500),
    );
  },

  async signals(world, dice) {
    const signal = dice.of(['SIGHUP', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGTTIN', 'SIGTTOU', 'SIGWINCH']);
    for (let i = dice.between(1, 8); i > 0; i--) {
      // Not more slots than the machine has time for.
      if (signal !== 'SIGTTIN' || world.workers.size < 2 * SIZE) world.supervisor.kill(signal);
      await pause(dice.between(0, 150));
    }
    // Opens an inspector of a worker, for nobody.
    const pid = dice.of([...world.workers]);
    if (pid !== undefined && dice.chance(0.3)) signalQuietly(pid, 'SIGUSR1');
  },

  async removeRuntime(world, dice) {
    const { runtimeDir } = world;
    const what = dice.of(['.', 'chaos.sock', 'chaos.lock']);
    rmSync(path.join(runtimeDir, what), { recursive: true, force: true });
    await pause(dice.between(0, 1_000));
  },

  /** No generation from the next one on can start. */
  async badRelease(world, dice) {
    const status = await Promise.race([world.status(), pause(2_000)]);
    if (status == null) return;
    const file = path.join(world.folder, 'bad');
    writeFileSync(file, String(status.generation));
    const reload = world.control('POST', '/reload');
    await Promise.race([reload, pause(dice.between(1_000, 4_000))]);
    unlinkSync(file);
  },

  async restart(world) {
    await Promise.race([world.control('POST', '/restart'), pause(3_000)]);
  },

  async stall(world, dice) {
    await world.stall(dice.between(200, 1_500));
  },
};
