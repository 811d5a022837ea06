/** nginx and HAProxy (Debian's packages) before a port of loopback, with kept connections to it and without retries. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import type { Test } from 'tap';

export interface Proxy {
  readonly port: number;
  /** How often it has asked the server again, as far as it counts. */
  retries(): Promise<number>;
}

/** Whether a program is installed. */
export function has(program: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], {
      stdio: 'ignore',
      env: { PATH: `${process.env.PATH}:/usr/sbin` },
    });
    return true;
  } catch {
    return false;
  }
}

export async function startNginx(t: Test, dir: string, port: number, upstream: number): Promise<Proxy> {
  const home = path.join(dir, 'nginx');
  mkdirSync(home);
  const log = path.join(home, 'access.log');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${home}/${kind};`,
  );
  const config = `
    daemon off; master_process off; pid ${home}/pid; error_log ${home}/error.log;
    events { worker_connections 1024; }
    http {
      ${temporary.join(' ')}
      log_format upstream '$status $upstream_addr';
      access_log ${log} upstream;
      upstream application { server 127.0.0.1:${upstream} max_fails=0; keepalive 64; }
      server {
        listen 127.0.0.1:${port};
        location / {
          proxy_pass http://application; proxy_http_version 1.1; proxy_set_header Connection "";
          proxy_next_upstream off;
        }
      }
    }`;
  writeFileSync(path.join(home, 'nginx.conf'), config);
  run(t, '/usr/sbin/nginx', ['-c', path.join(home, 'nginx.conf'), '-p', home]);
  await listening(port);
  // It names each server that it has asked.
  const retries = async () =>
    readFileSync(log, 'utf8')
      .split('\n')
      .filter((line) => line.includes(',')).length;
  return { port, retries };
}

export async function startHaproxy(t: Test, dir: string, port: number, upstream: number): Promise<Proxy> {
  const socket = path.join(dir, 'haproxy.sock');
  const config = `
global
  stats socket ${socket} mode 600
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  retries 0
frontend outside
  bind 127.0.0.1:${port}
  default_backend application
backend application
  http-reuse always
  server one 127.0.0.1:${upstream}
`;
  const file = path.join(dir, 'haproxy.cfg');
  writeFileSync(file, config);
  run(t, '/usr/sbin/haproxy', ['-db', '-f', file]);
  await listening(port);
  const retries = async () => {
    const asked = net.connect(socket);
    asked.end('show stat\n');
    let text = '';
    for await (const chunk of asked) text += chunk;
    const [names = '', ...lines] = text.trim().split('\n');
    const at = names.split(',').indexOf('wretr');
    return lines.reduce((sum, line) => sum + Number(line.split(',')[at] ?? 0), 0);
  };
  return { port, retries };
}

function run(t: Test, program: string, args: readonly string[]): ChildProcess {
  const child = spawn(program, args, { stdio: 'ignore' });
  const closed = once(child, 'close');
  t.teardown(async () => {
    child.kill('SIGKILL');
    await closed;
  });
  return child;
}

async function listening(port: number): Promise<void> {
  for (;;) {
    const socket = net.connect(port, '127.0.0.1');
    const connected = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (connected) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
