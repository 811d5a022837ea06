import { writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { freePort } from '../support/ports.js';
import { apps, Holdfast } from './support/holdfast.js';
import { Load } from './support/load.js';

// Side by side: most of the time they wait.
t.jobs = 2;

const app = path.join(apps, 'release.cjs');

/** Each is broken in its own way, or good; with the reason that is to be told. */
const RELEASES: readonly (readonly [mood: string, reason: RegExp | null])[] = [
  ['throws', /exited with code 1 before it was ready; the last it wrote:.*this release is broken/s],
  ['good', null],
  ['deaf', /not ready within 4 s: it did not listen on any address/],
  ['crashes', /exited with code 5 while it served/],
  ['unhealthy', /not ready within 4 s: GET \/healthz answered 503: "db down"/],
  ['good', null],
  ['leaks', /a worker came to a limit: maxMemory: \d+ MiB of 180 MiB/],
  // Whoever notices first.
  ['blocks', /did not stay healthy: GET \/healthz was not answered within 1 s|the event loop of a worker hung/],
  ['elsewhere', /not ready within 4 s: it listens on .*, but not on 127\.0\.0\.1:\d+/],
  ['good', null],
];

for (const mode of ['reuseport', 'reuseaddr']) {
  t.test(`ten releases, most of them broken, under load: nobody notices (${mode})`, { buffered: true }, async (t) => {
    const port = await freePort();
    const moodFile = path.join(t.testdir({ mood: 'good' }), 'mood');
    const holdfast = new Holdfast(t, app, {
      args: [
        ...['-i', '2', '--surge', '2', '--listen-mode', mode, '--ready-timeout', '4s', '--soak', '3s'],
        ...['--health', '/healthz', '--health-interval', '200ms', '--health-timeout', '1s'],
        ...['--max-memory', '180M', '--hang-timeout', '1s', '--drain-timeout', '2s', '--kill-timeout', '200ms'],
      ],
      env: { PORT: String(port), MOOD_FILE: moodFile },
    });
    await holdfast.message('started');
    const load = new Load({ port, fresh: 4, keepAlive: 8, perSecond: 100 });
    t.teardown(() => load.stop());
    let generation = 1;
    for (const [number, [mood, reason]] of RELEASES.entries()) {
      writeFileSync(moodFile, mood);
      const { code } = await holdfast.reload();
      const { rollout, workers } = await holdfast.status();
      t.equal(code, reason === null ? 0 : 1, `release ${number + 2}: ${mood}; ${JSON.stringify(rollout)}`);
      if (reason === null) generation = number + 2;
      else t.match(rollout, { state: 'rolledBack', reason });
      t.same(
        workers.filter(({ state }) => state === 'ready').map((worker) => worker.generation),
        [generation, generation],
      );
    }
    await load.stop();
    t.same(load.errors, {}, load.summary());
    const served = new Set(load.answers.map((answer) => answer.generation));
    t.same(
      [...served].sort((a, b) => a - b),
      [1, 3, 7, 11],
      'no broken release has ever answered',
    );
  });
}
