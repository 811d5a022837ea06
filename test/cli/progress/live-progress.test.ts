import t from 'tap';
import { makeFolder, OK, open, SNAPSHOT } from '../../control/support/fake-target.js';
import { holdfast } from '../support/command-line.js';

t.test('who leaves the view of one of several asks for no more of them', async (t) => {
  const dir = makeFolder(t);
  const [first, second] = [await open(t, 'api', dir), await open(t, 'shop', dir)];
  const interrupt = new AbortController();
  first.target.perform = (progress) => {
    progress({ type: 'progress', message: 'worker started', fields: {} });
    interrupt.abort();
    return new Promise(() => {});
  };
  const { code, stdout, stderr } = await holdfast(['reload', 'api', 'shop'], {
    runtimeDir: dir,
    terminal: true,
    interrupt,
  });
  t.equal(code, 1);
  t.equal(stdout, '');
  t.match(
    stderr,
    /holdfast: the reload of api goes on\n {2}follow it .* --name api\n {2}roll it back .* --name api\n {2}not asked yet {2}shop\n$/,
  );
  t.same([first.target.calls, second.target.calls], [['reload'], []]);
});

t.test(
  'it is drawn on a terminal alone: not with --json, not on one that cannot, not for what is over at once',
  async (t) => {
    const { dir } = await open(t);
    const drawn = async (argv: readonly string[], env = {}) =>
      (await holdfast(argv, { runtimeDir: dir, terminal: true, env })).stderr.includes('\u001b[?2026h');
    t.equal(await drawn(['reload']), true);
    t.equal(await drawn(['reload', '--json']), false);
    t.equal(await drawn(['reload'], { TERM: 'dumb' }), false);
    t.equal(await drawn(['reload', '--dry-run']), false);
  },
);

t.test('a rollout is followed to its end, with what happens in words', async (t) => {
  const { dir, target } = await open(t);
  t.match(await holdfast(['reload', '--follow'], { runtimeDir: dir }), {
    code: 1,
    stderr:
      'holdfast: cannot follow the rollout of shop: none is under way\n  how it stands: holdfast status --name shop\n',
  });
  const rollout = { state: 'running', from: 3, to: 4, reason: null, replaced: 0, canary: null } as const;
  for (const [end, code] of [
    [{ id: 9, type: 'rolloutDone', from: 3, to: 4 }, 0],
    [{ id: 9, type: 'rolloutTakenBack', from: 3, to: 4, reason: 'exit code 1' }, 1],
  ] as const) {
    target.followEvents = (onEvent) => {
      onEvent({ ...SNAPSHOT, rollout } as never);
      onEvent({ id: 8, type: 'rolloutProgress', from: 3, to: 4, replaced: 1, size: 2 });
      onEvent(end);
      return () => {};
    };
    const outcome = await holdfast(['reload', '--follow'], { runtimeDir: dir });
    t.equal(outcome.code, code);
    t.match(outcome.stderr, /^ {2}rollout progress from=3 to=4 replaced=1 size=2\n/);
    if (code === 0) t.equal(outcome.stdout, 'shop: rollout done\n');
    else t.match(outcome.stderr, /cannot reload shop: exit code 1/);
  }
  t.match(await holdfast(['reload', '--follow', '--abort'], { runtimeDir: dir }), { code: 2 });
});

t.test('however long it goes on, nothing else is written to the terminal', async (t) => {
  const { dir, target } = await open(t);
  const warnings: string[] = [];
  const warned = ({ message }: Error) => warnings.push(message);
  process.on('warning', warned);
  t.teardown(() => process.off('warning', warned));
  // More than Node allows for listeners to one signal.
  let asked = 0;
  const often = new Promise<void>((resolve) => {
    const { answerStatus } = target;
    target.answerStatus = () => {
      if (++asked > 12) resolve();
      return answerStatus();
    };
  });
  target.perform = async () => {
    await often;
    return OK;
  };
  t.match(await holdfast(['reload'], { runtimeDir: dir, terminal: true }), { code: 0 });
  t.same(warnings, []);
});
