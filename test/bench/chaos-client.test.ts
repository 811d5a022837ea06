import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { root } from '../e2e/support/holdfast.js';
import { endWith } from '../e2e/support/processes.js';

const script = path.join(root, 'bench/support/chaos-client.js');
const SYN_SENT = '02';
const CLIENTS = 8;

/** Answers with its PID; while it is stopped two connections wait for it, and the others for those. */
const SERVER = `
  const server = require('node:http').createServer((request, response) => response.end(String(process.pid)));
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => console.log(server.address().port));
`;

/** Clients that are about to connect to it. */
function connecting(port: number): number {
  const rows = readFileSync('/proc/net/tcp', 'utf8').trim().split('\n').slice(1);
  const peer = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return rows
    .map((row) => row.trim().split(/\s+/))
    .filter(([, , to, state]) => to?.endsWith(peer) && state === SYN_SENT).length;
}

t.test('who is told to stop while it connects has lost nothing: it has not asked yet', async (t) => {
  const server = spawn(process.execPath, ['-e', SERVER], { stdio: ['ignore', 'pipe', 'inherit'] });
  endWith(t, server.pid ?? 0);
  const [line] = (await once(createInterface({ input: server.stdout }), 'line')) as [string];
  const port = Number(line);
  server.kill('SIGSTOP');
  const client = spawn(process.execPath, [script, line, String(CLIENTS), '0', '1'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  endWith(t, client.pid ?? 0);
  const told = text(client.stdout);
  while (connecting(port) < CLIENTS - 2) await pause(5);
  client.stdin.write('stop\n');
  server.kill('SIGCONT');
  const lines = (await told).trim().split('\n');
  t.equal(lines.length, 1, `no errors, but the totals: ${lines.join(' ')}`);
  const { totals } = JSON.parse(lines.at(-1) ?? '') as { totals: Record<string, number> };
  t.match(totals, { connects: CLIENTS, errors: 0 });
  t.ok((totals.answers ?? 0) < CLIENTS, 'and some of them never asked');
});
