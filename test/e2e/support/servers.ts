/** The application of test/fixtures/apps/servers.cjs, and clients of every kind for it. */
import { execFileSync } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import type http from 'node:http';
import http2 from 'node:http2';
import type https from 'node:https';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import type { Holdfast } from './holdfast.js';

/** Its environment, with a certificate of its own. @param dir where that and its unix socket go */
export function serversEnv(dir: string, udpPort: number): Record<string, string> {
  const key = path.join(dir, 'key.pem');
  const cert = path.join(dir, 'cert.pem');
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
      ...['-subj', '/CN=localhost', '-keyout', key, '-out', cert],
    ],
    { stdio: 'ignore' },
  );
  return { TLS_KEY: key, TLS_CERT: cert, PIPE_DIR: dir, UDP_PORT: String(udpPort) };
}

export type Ports = Record<'http' | 'again' | 'any' | 'v6only' | 'https' | 'http2' | 'h2c' | 'net', number>;

/** What the first `count` workers wrote of their ports. */
export async function portsIn(holdfast: Holdfast, count: number): Promise<Ports[]> {
  const ports: Ports[] = [];
  for (let from = 0; ports.length < count; ) {
    const line = await holdfast.line(({ msg }) => msg.startsWith('PORTS '), from);
    from = holdfast.log.indexOf(line) + 1;
    ports.push(JSON.parse(line.msg.slice(6)) as Ports);
  }
  return ports;
}

export async function get(client: typeof http | typeof https, options: https.RequestOptions): Promise<string> {
  const request = client.get({ ...options, agent: false });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  return text(response);
}

export async function overHttp2(url: string): Promise<string> {
  const session = http2.connect(url, { rejectUnauthorized: false });
  try {
    return await text(session.request({ ':path': '/' }));
  } finally {
    session.close();
  }
}

export async function overUdp(port: number): Promise<string> {
  const socket = dgram.createSocket('udp4');
  try {
    socket.send('hello', port, '127.0.0.1');
    const [message] = await once(socket, 'message');
    return String(message);
  } finally {
    socket.close();
  }
}
