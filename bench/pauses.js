/**
 * `npm run bench:pauses`: thousands of keep-alive clients that POST, pause for seconds and never send anything again, while all
 * workers are replaced a few times: holdfast beside node:cluster and HAProxy. CLIENTS, PAUSE_MS, RELOADS and ONLY say what is
 * done; the table goes to docs/benchmarks.md unless NO_WRITE is set.
 */
import { CONTENDERS, takePart } from './support/contenders.js';
import { errorText, median } from './support/figures.js';
import { pause } from './support/launch.js';
import { machine, publish } from './support/report.js';
import { oneByOne } from './support/rounds.js';
import { withClients } from './support/standing-clients.js';

// HAProxy needs two file descriptors for each, and 20,000 is a usual limit.
const CLIENTS = Number(process.env.CLIENTS ?? 9_000);
const PAUSE_MS = Number(process.env.PAUSE_MS ?? 4_000);
const RELOADS = Number(process.env.RELOADS ?? 3);
const EVERYBODY = ['holdfast', 'holdfast-reuseaddr', 'shared-handle', 'round-robin', 'haproxy'];

const { names, versions } = await takePart(process.env.ONLY?.split(',') ?? EVERYBODY);
const found = await oneByOne(names, { workers: 4 }, { rounds: 1 }, measure);
const rows = [...found].map(([name, [sample]]) => ({ '': CONTENDERS[name].title, ...sample }));
const what = `${CLIENTS} clients, a POST every ${PAUSE_MS / 1000} s each, ${RELOADS} reloads of 4 workers`;
publish('docs/benchmarks.md', 'bench:pauses', `${machine(versions)}; ${what}.`, [rows]);

async function measure({ port, reload }) {
  const times = [];
  const { counts } = await withClients('pausing-client.js', [port, CLIENTS, PAUSE_MS], async () => {
    for (let i = 0; i < RELOADS; i++) {
      const beganAt = performance.now();
      await reload();
      times.push(performance.now() - beganAt);
      await pause(PAUSE_MS);
    }
  });
  const { answers, errors, connects } = counts;
  return { errors: `${errorText(errors)} of ${answers}`, connects, 'a reload, ms': Math.round(median(times)) };
}
