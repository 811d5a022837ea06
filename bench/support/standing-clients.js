/** Clients in a process of their own whose connections stay: they say `open` once all are, and their counts when they are told to stop. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { end, start } from './launch.js';

const here = path.dirname(fileURLToPath(import.meta.url));

/**
 * Runs `act` while they are connected.
 *
 * @param script one of this folder
 * @returns what they have counted, and the result of `act`
 * @throws where they end before they are told to
 */
export async function withClients(script, args, act) {
  const client = start(process.execPath, [path.join(here, script), ...args.map(String)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let output = '';
  const open = new Promise((resolve, reject) => {
    client.stdout.setEncoding('utf8').on('data', (text) => {
      output += text;
      if (output.includes('open')) resolve();
    });
    client.once('exit', () => reject(new Error('the clients have ended')));
  });
  try {
    await open;
    const result = await act();
    const closed = new Promise((resolve) => client.stdout.once('close', resolve));
    client.stdin.end('stop\n');
    await closed;
    return { result, counts: JSON.parse(output.split('\n').at(-2)) };
  } finally {
    await end(client, 'SIGKILL');
  }
}
