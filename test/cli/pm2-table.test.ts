/** Every row of the table in docs/pm2.md: what one types with PM2 does here what the row says. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { parseCommandLine } from '../../src/cli/command-line/parse.js';
import type { Invocation } from '../../src/cli/process/context.js';
import { HoldfastError } from '../../src/errors.js';

const DOCS = fileURLToPath(new URL('../../docs/pm2.md', import.meta.url));

interface Asked extends Pick<Invocation, 'operand' | 'names' | 'applicationArgs' | 'flags'> {
  readonly command: string;
}

/** As a shell divides it. */
const wordsIn = (line: string) =>
  [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain = '']) => quoted ?? plain);

/** @param line behind `pm2` or `holdfast`, or options of `start` alone */
async function ask(line: string): Promise<Asked> {
  const words = wordsIn(line.startsWith('-') ? `start app.js ${line}` : line);
  const parsed = await parseCommandLine(words);
  if (parsed.wants !== 'run') throw new Error(`${line} asks for ${parsed.wants}`);
  const { operand, names, applicationArgs, flags } = parsed.invocation;
  return { command: parsed.spec.name, operand, ...(names && { names }), applicationArgs, flags };
}

/** Each means the same as the line beside it, which is holdfast's own. */
const same =
  (pairs: Readonly<Record<string, string>>): Check =>
  async (t, [left, right]) => {
    for (const [line, own] of Object.entries(pairs)) {
      t.same(await ask(line), await ask(own), line);
      t.ok(left.includes(line), `${line} is in the row`);
      if (own !== line && right.length > 0) t.ok(right.includes(own), `${own} is in the row`);
    }
    t.equal(Object.keys(pairs).length, left.length, 'every word of the row');
  };

/** It is understood as it is. */
const understood =
  (expected: Readonly<Record<string, Partial<Asked>>>): Check =>
  async (t, [left]) => {
    for (const [line, asked] of Object.entries(expected)) t.match(await ask(line), asked, line);
    t.same(Object.keys(expected), left);
  };

/** It cannot be done as it is, and the error has what the row has. */
const refused =
  (...hints: readonly RegExp[]): Check =>
  async (t, [left]) => {
    t.equal(hints.length, left.length, 'every word of the row');
    for (const [at, line] of left.entries()) {
      const error = await ask(line).catch((error: unknown) => error);
      if (!(error instanceof HoldfastError)) return void t.fail(`${line} is taken`);
      t.match(error, { code: 'USAGE', exitCode: 2, hint: hints[at] }, line);
    }
  };

/** Of both cells what stands between backticks; `pm2` and `holdfast` left out. */
type Row = readonly [left: readonly string[], right: readonly string[]];
type Check = (t: Test, row: Row) => Promise<void>;

const INSTALL = /^sudo holdfast unit .* --install$/;
const OWN = /holdfast ls --json/;
const ONE_LOG = /--log-file FILE/;

/** By the first of its words. */
const CHECKS: Readonly<Record<string, Check>> = {
  'start app.js -i max -n shop': understood({
    'start app.js -i max -n shop': { command: 'start', operand: 'app.js', flags: { instances: 'max', name: 'shop' } },
  }),
  'start ecosystem.config.js --only api,worker --env production': understood({
    'start ecosystem.config.js --only api,worker --env production': {
      ...{ command: 'start', operand: 'ecosystem.config.js', flags: { only: 'api,worker', env: ['production'] } },
    },
  }),
  'start app.js -- --port 80': understood({
    'start app.js -- --port 80': { operand: 'app.js', applicationArgs: ['--port', '80'], flags: {} },
  }),
  '--max-memory-restart 300M': same({ '--max-memory-restart 300M': '--max-memory 300M' }),
  '--wait-ready': same({ '--wait-ready': '--ready message' }),
  '--listen-timeout 3000': understood({ '--listen-timeout 3000': { flags: { 'ready-timeout': '3000ms' } } }),
  '--kill-timeout 1600': same({ '--kill-timeout 1600': '--kill-timeout 1600ms' }),
  '--min-uptime 1000 --max-restarts 10': same({
    '--min-uptime 1000 --max-restarts 10': '--min-uptime 1000ms --max-restarts 10',
  }),
  '--exp-backoff-restart-delay 100': same({ '--exp-backoff-restart-delay 100': '--backoff-base 100ms' }),
  '--restart-delay 3000': understood({ '--restart-delay 3000': { flags: { 'backoff-base': '3000ms' } } }),
  '--cron-restart "0 4 * * *"': same({ '--cron-restart "0 4 * * *"': '--reload-cron "0 4 * * *"' }),
  '--watch': understood({ '--watch': { flags: { watch: true } } }),
  '--no-treekill': same({ '--no-treekill': '--keep-children' }),
  '--no-autorestart': understood({
    '--no-autorestart': { flags: { 'stop-exit-codes': [/^0 1 2 .* 255$/], ready: 'running' } as never },
  }),
  '--log app.log': same({ '--log app.log': '--log-file app.log' }),
  '--output out.log': refused(ONE_LOG, ONE_LOG, ONE_LOG, ONE_LOG),
  '--source-map-support': same({ '--source-map-support': '--node-args=--enable-source-maps' }),
  '--no-daemon': async (t, [left]) => {
    for (const line of left) t.same(await ask(line), await ask('start app.js'), line);
  },
  '--ignore-watch tmp': refused(/leave it out/),
  '--uid www': refused(/start holdfast itself as that user/),
  ls: understood({ ls: { command: 'status' }, list: { command: 'status' } }),
  jlist: refused(OWN, OWN),
  'describe shop': understood({
    'describe shop': { command: 'describe', flags: { name: 'shop' } },
    'show shop': { command: 'describe', flags: { name: 'shop' } },
    'desc shop': { command: 'describe', flags: { name: 'shop' } },
    'info shop': { command: 'describe', flags: { name: 'shop' } },
    'env 0': { command: 'env', operand: '0' },
  }),
  monit: understood({ monit: { command: 'top', flags: {} } }),
  'reload shop': async (t) => {
    await understood({
      'reload shop': { command: 'reload', flags: { name: 'shop' } },
      'reload all': { command: 'reload', names: ['all'] },
    })(t, [['reload shop', 'reload all'], []]);
    await refused(/holdfast reload NAME/)(t, [['gracefulReload shop'], []]);
  },
  'reload ecosystem.config.js --env production': refused(/^holdfast reload NAME; each reads/),
  'reload shop --update-env': refused(/its env or envFile/),
  'startOrReload app.js': refused(/^holdfast reload NAME; .* holdfast start .* --detach$/),
  'restart shop': understood({
    'restart shop': { command: 'restart', flags: { name: 'shop' } },
    'stop api worker': { command: 'stop', names: ['api', 'worker'] },
    'scale shop +2': { command: 'scale', operand: '+2', flags: { name: 'shop' } },
  }),
  'delete shop': same({ 'delete shop': 'stop shop' }),
  'logs shop --lines 100': async (t) => {
    const { flags } = await ask('logs shop --lines 100');
    t.same(flags, { name: 'shop', lines: '100' });
    t.same((await ask('logs shop --lines 100 -f')).flags, { ...flags, follow: true });
  },
  'logs --nostream': same({ 'logs --nostream': 'logs' }),
  flush: refused(/truncate --size 0 FILE/, /kill -USR1 PID/),
  init: async (t) => {
    t.match(await ask('init'), { command: 'init' });
    await refused(/^holdfast init$/)(t, [['ecosystem'], []]);
  },
  startup: refused(INSTALL, INSTALL, INSTALL, INSTALL),
  unstartup: refused(/^sudo holdfast unit --name NAME --uninstall$/),
  kill: refused(/holdfast stop all/),
  update: refused(/./, /./),
  'pid shop': refused(/holdfast status NAME/, /holdfast status NAME/),
  'reset shop': refused(/holdfast describe NAME/),
  'sendSignal SIGUSR2 shop': refused(/kill -SIGNAL PID/),
  deploy: refused(/holdfast reload NAME/),
  'install pm2-logrotate': refused(ONE_LOG),
};

const [, section = ''] = readFileSync(DOCS, 'utf8').split('\n## Commands and flags\n');
const lines = (section.split('\n## ')[0] ?? '').split('\n').filter((line) => line.startsWith('| `'));
const rows = lines.map((line): Row => {
  const [left = [], right = []] = line
    .split('|')
    .slice(1, -1)
    .map((cell) =>
      [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text.replace(/^(?:sudo )?(?:pm2|holdfast) /, '')),
    );
  return [left, right];
});

t.test('docs/pm2.md has a row for each of them, and no other', async (t) => {
  t.same(
    rows.map(([[first]]) => first),
    Object.keys(CHECKS),
  );
});

for (const row of rows) {
  const [[first = ''], right] = row;
  t.test(first, async (t) => {
    await CHECKS[first]?.(t, row);
    for (const own of right) {
      // What the row says in its place can be typed.
      if (/^(?:truncate|kill|-[a-z]$|--stop-exit-codes$|unit --name NAME|env|node_modules$)/.test(own)) continue;
      t.ok(await ask(own), own);
    }
  });
}
