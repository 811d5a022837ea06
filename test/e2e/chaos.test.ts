import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { plainly, root } from './support/holdfast.js';

interface Report {
  readonly faults: Readonly<Record<string, number>>;
  readonly load: { readonly answers: number; readonly workers: number };
  readonly lost: readonly object[];
  readonly problems: readonly string[];
}

/** Of each kind of fault that decides about requests, more than one is among those of this seed. */
const SEED = 20;
const SECONDS = 25;
/** Letters of a title. */
const MOST = 900;

for (const listenMode of ['reuseport', 'reuseaddr']) {
  t.test(`whatever happens to it costs no request but those in a worker that was killed: ${listenMode}`, async (t) => {
    // The control socket comes back within a minute, which is waited for: others test it.
    const chosen = ['--without', 'removeRuntime', '--json'];
    const words = ['--seconds', SECONDS, '--seed', SEED, '--listen-mode', listenMode, ...chosen].map(String);
    const child = spawn(...plainly([path.join(root, 'bench/chaos.js'), ...words]), {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    // It ends what it has started.
    t.teardown(() => child.kill('SIGTERM'));
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    if (stdout === '') throw new Error(stderr);
    const { faults, load, lost, problems } = JSON.parse(stdout) as Report;
    t.comment(`${JSON.stringify(faults)} ${JSON.stringify(load)}`);
    // In the title: of a run on another machine nothing else may be left.
    t.same(lost, [], `no request was lost: ${JSON.stringify(lost).slice(0, MOST)}`);
    t.same(problems, [], `and all is well afterwards: ${JSON.stringify(problems).slice(0, MOST)}`);
    t.ok(load.answers > 200, `${load.answers} answers`);
    t.ok(load.workers > 6, `by ${load.workers} workers`);
    t.ok(Object.keys(faults).length >= 8, 'faults of many kinds came up');
  });
}
