/** Supervisors that a program has started: this one, and one of their own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Test } from 'tap';
import { Supervisor } from '../../../src/api/supervisor.js';
import { makeRuntimeDir, plainly, root } from './holdfast.js';

export const EXAMPLE = path.join(root, 'examples/embedded/program.js');

export const SERVER = path.join(root, 'examples/embedded/server.js');

/** Without what the test runner puts there for every child. */
export const ENV = { PATH: process.env.PATH, HOME: process.env.HOME };

export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

export function supervisorOf(t: Test, options: object = {}, how: object = {}) {
  const supervisor = new Supervisor(
    { name: 'shop', script: SERVER, instances: 2, trial: 0, ...options },
    { runtimeDir: makeRuntimeDir(t), output: 'ignore', env: ENV, ...how },
  );
  t.teardown(() => supervisor.stop());
  return supervisor;
}

interface Host {
  readonly child: ReturnType<typeof spawn>;
  readonly said: (pattern: RegExp) => Promise<string>;
}

export function hostOf(t: Test, file: string, env: Record<string, string>): Host {
  const [command, args] = plainly([file], env);
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const lines: string[] = [];
  const reader = createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  const said = async (pattern: RegExp) => {
    for (;;) {
      const found = lines.find((line) => pattern.test(line));
      if (found !== undefined) return found;
      await once(reader, 'line');
    }
  };
  return { child, said };
}
