/**
 * `npm run bench:pauses`: thousands of keep-alive clients that POST, pause for seconds and never send anything again, while all
 * workers are replaced a few times: holdfast beside node:cluster and HAProxy. CLIENTS, PAUSE_MS, RELOADS and ONLY say what is
 * done; the table goes to README.md unless NO_WRITE is set.
 */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { CONTENDERS, takePart } from './support/contenders.js';
import { errorText, median } from './support/figures.js';
import { end, pause, start } from './support/launch.js';
import { machine, publish } from './support/report.js';
import { oneByOne } from './support/rounds.js';

const CLIENTS = Number(process.env.CLIENTS ?? 10_000);
const PAUSE_MS = Number(process.env.PAUSE_MS ?? 4_000);
const RELOADS = Number(process.env.RELOADS ?? 3);
const EVERYBODY = ['holdfast', 'holdfast-reuseaddr', 'shared-handle', 'round-robin', 'haproxy'];
const script = path.join(path.dirname(fileURLToPath(import.meta.url)), 'support/pausing-client.js');

const { names, versions } = await takePart(process.env.ONLY?.split(',') ?? EVERYBODY);
const found = await oneByOne(names, { workers: 4 }, { rounds: 1 }, measure);
const rows = [...found].map(([name, [sample]]) => ({ '': CONTENDERS[name].title, ...sample }));
const what = `${CLIENTS} clients, a POST every ${PAUSE_MS / 1000} s each, ${RELOADS} reloads of 4 workers`;
publish('README.md', 'bench:pauses', `${machine(versions)}; ${what}.`, [rows]);

async function measure({ port, reload }) {
  const client = start(process.execPath, [script, port, CLIENTS, PAUSE_MS].map(String), {
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
    const times = [];
    for (let i = 0; i < RELOADS; i++) {
      const beganAt = performance.now();
      await reload();
      times.push(performance.now() - beganAt);
      await pause(PAUSE_MS);
    }
    const closed = new Promise((resolve) => client.stdout.once('close', resolve));
    client.stdin.end('stop\n');
    await closed;
    const { answers, errors, connects } = JSON.parse(output.split('\n').at(-2));
    return { errors: `${errorText(errors)} of ${answers}`, connects, 'a reload, ms': Math.round(median(times)) };
  } finally {
    await end(client, 'SIGKILL');
  }
}
