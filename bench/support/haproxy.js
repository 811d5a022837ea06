/** HAProxy with least connections before processes that each have a port of their own. Takes part where it is installed. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { startBare } from './bare.js';
import { end, launch, makeFolder, pause, removeFolder } from './launch.js';
import { freePort } from './processes.js';

/** How long a reload waits for the sessions of a process to end. */
const DRAIN_MS = 5_000;

/** @returns its name and version, or null where it is not installed */
export function findHaproxy() {
  try {
    const [, version] = /version (\d[\d.]*)/.exec(execFileSync('haproxy', ['-v'], { encoding: 'utf8' })) ?? [];
    return version === undefined ? null : `HAProxy ${version}`;
  } catch {
    return null;
  }
}

export async function startHaproxy({ workers, env = {} }) {
  const backends = [];
  for (let i = 0; i < workers; i++) backends.push(await startBare({ workers: 1, env }));
  const port = await freePort();
  const folder = makeFolder('haproxy-');
  const file = path.join(folder, 'haproxy.cfg');
  const control = path.join(folder, 'control.sock');
  writeFileSync(file, configuration(port, control, backends));
  const { child } = launch('haproxy', ['-db', '-f', file], {});
  await reachable(port, child);
  return {
    port,
    primary: child.pid,
    workers: () => backends.flatMap((backend) => backend.workers()),
    /** As its manual has it: drained, moved to the new process, made ready again, one by one. */
    async reload() {
      for (const [i, old] of [...backends].entries()) {
        backends[i] = await startBare({ workers: 1, env });
        await command(control, `set server b/s${i} state drain`);
        const deadline = performance.now() + DRAIN_MS;
        while ((await sessions(control, `s${i}`)) > 0 && performance.now() < deadline) await pause(10);
        await command(control, `set server b/s${i} addr 127.0.0.1 port ${backends[i].port}`);
        await command(control, `set server b/s${i} state ready`);
        await old.retire();
      }
    },
    async stop() {
      await end(child);
      for (const backend of backends) await backend.stop();
      removeFolder(folder);
    },
  };
}

function configuration(port, control, backends) {
  return `global
  stats socket ${control} mode 600 level admin
  maxconn 9500
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  option redispatch 1
frontend f
  bind 127.0.0.1:${port}
  default_backend b
backend b
  balance leastconn
${backends.map((backend, i) => `  server s${i} 127.0.0.1:${backend.port} check inter 200ms`).join('\n')}
`;
}

async function command(control, line) {
  const socket = net.connect(control);
  socket.end(`${line}\n`);
  return text(socket);
}

/** Sessions that a server has now: the column `scur` of the statistics. */
async function sessions(control, server) {
  const [head, ...rows] = (await command(control, 'show stat')).trim().split('\n');
  const column = head.replace('# ', '').split(',').indexOf('scur');
  const row = rows.find((line) => line.startsWith(`b,${server},`));
  return Number(row.split(',')[column]);
}

async function reachable(port, child) {
  for (;;) {
    const socket = net.connect(port, '127.0.0.1');
    const isUp = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (isUp) return;
    if (child.exitCode !== null) throw new Error(`cannot run haproxy: it ended with code ${child.exitCode}`);
    await pause(20);
  }
}
