/** How a chaos run harms workers and besieges sockets, and what it tells of that. */
import http from 'node:http';
import { connectionsOf } from './chaos-proc.js';
import { monotonicMs } from './chaos-random.js';
import { pause } from './launch.js';

/** It has no time to do anything between the look at its connections and its end. */
export function killAsItIs(world, pid, kind) {
  if (!signalQuietly(pid, 'SIGSTOP')) return;
  blameFor(world, pid, kind, false);
  signalQuietly(pid, 'SIGKILL');
}

/** @param kind null for a stop that no request is to be lost by */
export async function stopWorker(world, dice, ms, kind) {
  const pid = dice.of([...world.workers]);
  if (pid === undefined || !signalQuietly(pid, 'SIGSTOP')) return;
  world.say(`  stopped: ${pid} for ${ms} ms`);
  const from = monotonicMs();
  if (kind !== null) blameFor(world, pid, kind, true);
  await pause(ms);
  if (world.workers.has(pid)) signalQuietly(pid, 'SIGCONT');
  world.blame.wasStill(pid, from, monotonicMs());
}

function blameFor(world, pid, kind, mustBeKilled) {
  let ports;
  try {
    ports = connectionsOf(pid, world.port);
  } catch {
    // It had ended by itself, and had none.
    return;
  }
  world.blame.fault({ pid, kind, at: monotonicMs(), ports, mustBeKilled });
}

/** @param kind as above */
export async function block(world, ms, kind) {
  const at = monotonicMs();
  const pid = await ask(world.port, '/block', String(ms));
  if (pid === null) return;
  if (kind !== null) world.blame.fault({ pid, kind, at, mustBeKilled: true });
  const from = monotonicMs();
  await pause(ms);
  world.blame.wasStill(pid, from, monotonicMs());
}

/** Ends the worker that gets it. */
export async function misbehave(world, url, body, kind) {
  const at = monotonicMs();
  const pid = await ask(world.port, url, body);
  if (pid !== null) world.blame.fault({ pid, kind, at });
}

/** @returns the PID of the worker that was asked, or null */
function ask(port, url, body) {
  return new Promise((resolve) => {
    const request = http.request({ host: '127.0.0.1', port, method: 'POST', path: url, agent: false }, (response) => {
      response.on('data', (chunk) => resolve(Number(chunk)));
      response.on('error', () => {}).on('close', () => resolve(null));
    });
    request.setTimeout(30_000, () => request.destroy());
    request.on('error', () => resolve(null));
    request.end(body);
  });
}

export async function besiege(connect, texts, counts, ms) {
  const sockets = new Set();
  let isOver = false;
  const storm = (text) => {
    if (isOver) return;
    const socket = connect();
    sockets.add(socket);
    socket.on('error', () => {}).resume();
    socket.write(text);
    socket.once('close', () => {
      sockets.delete(socket);
      // Not so often that the machine has time for nothing else.
      setTimeout(storm, 20, text);
    });
  };
  texts.forEach((text, i) => {
    for (let k = 0; k < counts[i]; k++) storm(text);
  });
  await pause(ms);
  isOver = true;
  for (const socket of sockets) socket.destroy();
}

/** @returns whether it was there */
export function signalQuietly(pid, signal) {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}
