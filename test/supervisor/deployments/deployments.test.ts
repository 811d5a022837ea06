import t from 'tap';
import type { ControlResult } from '../../../src/protocol/control.js';
import { Deployments, type Ready } from '../../../src/supervisor/deployments/deployments.js';
import type { Release } from '../../../src/supervisor/deployments/release.js';
import type { ProgressLine } from '../../../src/supervisor/requests.js';
import { releaseWith } from '../support/release.js';
import { withResolvers } from '../support/with-resolvers.js';

const RELOAD = { type: 'reload', canary: null } as const;
const RESTART = { type: 'restart', canary: null } as const;
const OK: ControlResult = { ok: true, message: '', reason: null };

interface Step {
  readonly release: number;
  readonly end: (error?: Error) => void;
}

/** Each step of a deployment is a promise that the test settles. */
class Rig {
  readonly deployments: Deployments;
  readonly kept = new Set<number>();
  readonly dispatched: Ready[] = [];
  readonly refused: string[] = [];
  readonly lines: string[] = [];
  /** The commands that run at this moment. */
  readonly running: Step[] = [];
  most = 0;
  answer: (ready: Ready) => Promise<ControlResult> = async () => OK;
  reading: Promise<void> = Promise.resolve();
  #last = 0;

  constructor() {
    this.deployments = new Deployments({
      read: async () => {
        this.#last += 1;
        const release = releaseWith(this.#last);
        await this.reading;
        this.kept.add(release.id);
        return release;
      },
      letGo: ({ id }: Release) => void this.kept.delete(id),
      sizeOf: () => null,
      prepare: (release, _progress, signal) => this.#prepare(release, signal),
      dispatch: (ready) => {
        this.dispatched.push(ready);
        return this.answer(ready);
      },
      onRefused: (type, reason) => this.refused.push(`${type}: ${reason}`),
    });
  }

  #prepare({ id }: Release, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = withResolvers<void>();
    const step = {
      release: id,
      end: (error?: Error) => {
        this.running.splice(this.running.indexOf(step), 1);
        if (error === undefined) resolve();
        else reject(error);
      },
    };
    this.running.push(step);
    this.most = Math.max(this.most, this.running.length);
    // What runs needs a moment to end.
    const ended = () => setImmediate(() => step.end(new Error(`ended: ${signal.reason}`)));
    signal.addEventListener('abort', ended, { once: true });
    return promise;
  }

  reload(): Promise<ControlResult> {
    return this.deployments.deploy(RELOAD, (line: ProgressLine) => this.lines.push(line.message));
  }

  /** Until a command runs for the release of that number. */
  async runs(release: number): Promise<Step> {
    for (;;) {
      const step = this.running.find((candidate) => candidate.release === release);
      if (step !== undefined) return step;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

t.test('a reload is read, prepared and handed over, and its release is kept until the answer', async (t) => {
  const rig = new Rig();
  const { promise, resolve } = withResolvers<ControlResult>();
  rig.answer = () => promise;
  const answered = rig.reload();
  (await rig.runs(1)).end();
  await new Promise((done) => setImmediate(done));
  t.match(rig.dispatched, [{ type: 'reload', canary: null, size: null, policy: { release: 1 } }]);
  t.same([...rig.kept], [1]);
  resolve(OK);
  t.same(await answered, { ok: true, message: 'reloaded', reason: null });
  await new Promise((done) => setImmediate(done));
  t.same([...rig.kept], []);
});

t.test('a newer reload ends what is prepared for an older one, and both get its answer', async (t) => {
  const rig = new Rig();
  const older = rig.reload();
  await rig.runs(1);
  const newer = rig.reload();
  (await rig.runs(2)).end();
  t.same(await Promise.all([older, newer]), Array(2).fill({ ok: true, message: 'reloaded', reason: null }));
  t.equal(rig.most, 1, 'never two commands side by side');
  t.equal(rig.dispatched.length, 1);
  t.match(rig.dispatched, [{ policy: { release: 2 } }]);
  t.same(rig.refused, []);
  t.same(rig.lines, ['superseded']);
});

t.test('of many only the newest is prepared', async (t) => {
  const rig = new Rig();
  const answers = [rig.reload()];
  await rig.runs(1);
  for (let i = 0; i < 5; i++) answers.push(rig.reload());
  (await rig.runs(2)).end();
  await Promise.all(answers);
  t.equal(rig.most, 1);
  t.match(rig.dispatched, [{ policy: { release: 2 } }]);
});

t.test('one that fails is answered with the reason, leaves nothing behind, and holds up nobody', async (t) => {
  const rig = new Rig();
  const failing = rig.reload();
  (await rig.runs(1)).end(new Error('the migration failed'));
  t.same(await failing, { ok: false, message: 'failed', reason: 'the migration failed' });
  t.same(rig.dispatched, []);
  t.same([...rig.kept], []);
  t.same(rig.refused, ['reload: the migration failed']);
  const next = rig.reload();
  (await rig.runs(2)).end();
  t.match(await next, { ok: true });
});

t.test('a restart takes the place of a reload, and is not given up for one', async (t) => {
  const rig = new Rig();
  const reload = rig.reload();
  await rig.runs(1);
  const restart = rig.deployments.deploy(RESTART, () => {});
  const late = rig.reload();
  t.match(await Promise.all([reload, restart]), [
    { ok: true, message: 'reloaded' },
    { ok: true, message: 'restarted' },
  ]);
  t.match(await late, { ok: true, message: 'reloaded' });
  t.match(rig.dispatched, [{ type: 'restart' }]);
});

t.test('a reading that does not end is not waited for', async (t) => {
  const rig = new Rig();
  rig.reading = new Promise(() => {});
  const older = rig.reload();
  rig.reading = Promise.resolve();
  const newer = rig.reload();
  (await rig.runs(2)).end();
  t.match(await Promise.all([older, newer]), [{ ok: true }, { ok: true }]);
});

t.test('what is cancelled is answered at once, and does not begin', async (t) => {
  const rig = new Rig();
  t.equal(rig.deployments.cancel('aborted by hand'), false, 'there is nothing');
  const reload = rig.reload();
  await rig.runs(1);
  t.equal(rig.deployments.cancel('aborted by hand'), true);
  t.match(await reload, { ok: false, reason: 'aborted by hand' });
  const next = rig.reload();
  (await rig.runs(2)).end();
  t.match(await next, { ok: true });
  t.match(rig.dispatched, [{ policy: { release: 2 } }]);
});

t.test('once it is closed nothing begins any more, and everybody is answered', async (t) => {
  const rig = new Rig();
  const current = rig.reload();
  await rig.runs(1);
  rig.deployments.close('the supervisor stops');
  t.match(await current, { ok: false, reason: 'ended: the supervisor stops' });
  t.match(await rig.reload(), { ok: false, reason: 'the supervisor stops' });
  t.same(rig.dispatched, []);
});

t.test('who asked and is gone keeps nobody else from an answer', async (t) => {
  const rig = new Rig();
  const gone = () => {
    throw new Error('the connection is closed');
  };
  const older = rig.deployments.deploy(RELOAD, gone);
  await rig.runs(1);
  const newer = rig.reload();
  (await rig.runs(2)).end();
  t.match(await Promise.all([older, newer]), [{ ok: true }, { ok: true }]);
});
