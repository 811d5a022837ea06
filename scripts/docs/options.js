// docs/reference/options.md: every option, by what it is about.
import * as z from 'zod/mini';
import { SETTING_NAMES, SETTINGS } from '../../dist/config/schema/schema.js';
import { code, codes, page, table } from './markdown.js';

/** In the order in which one meets them. Every option is in one of them. */
const GROUPS = [
  {
    title: 'Application',
    guide:
      '[Programs](../programs.md) says what `script` can be, [applications](../applications.md) what a worker sees.',
    names: [
      'script',
      'args',
      'name',
      'cwd',
      'env',
      'envFile',
      'nodeArgs',
      'interpreter',
      'instanceVar',
      'exec',
      'listen',
    ],
  },
  {
    title: 'Workers and sockets',
    guide: '[Steering](../steering.md) explains the listen modes, and how a new connection finds its worker.',
    names: ['instances', 'listenMode', 'steering', 'affinity', 'adoptAfter', 'slowStart', 'bindTimeout'],
  },
  {
    title: 'Readiness and health',
    guide: 'See [becoming ready](../applications.md#becoming-ready).',
    names: ['ready', 'readyTimeout', 'minUptime', 'health', 'healthTimeout', 'healthInterval'],
  },
  {
    title: 'Reload',
    guide: 'See [reload](../restarts.md#reload-holdfast-reload-sighup).',
    names: [
      'trial',
      'soak',
      'surge',
      'beforeReload',
      'beforeReloadTimeout',
      'reloadCron',
      'reloadCronTimeZone',
      'watch',
    ],
  },
  {
    title: 'Canary',
    guide: 'See [canary](../restarts.md#canary).',
    names: ['canaryMaxErrorRate', 'canaryMaxLatency', 'canaryMaxLoopDelay', 'canaryMinRequests'],
  },
  {
    title: 'Drain and shutdown',
    guide: 'See [what happens to connections](../connections.md).',
    names: [
      ...['drainTimeout', 'spread', 'handover', 'killTimeout', 'shutdownMessage', 'maxDraining', 'keepChildren'],
      'orphanTimeout',
    ],
  },
  {
    title: 'Crashes and hangs',
    guide: 'See [crash](../restarts.md#crash) and [a hung event loop](../restarts.md#a-hung-event-loop).',
    names: [
      ...['backoffBase', 'backoffFactor', 'backoffMax', 'backoffReset', 'maxRestarts', 'restartWindow'],
      ...['onCrashLoop', 'stopExitCodes', 'hangTimeout'],
    ],
  },
  {
    title: 'Limits',
    guide: 'See [recycling](../restarts.md#recycling), and [memory](../containers.md#memory) for a percentage.',
    names: ['maxMemory', 'maxRequests', 'maxAge', 'maxEventLoopDelay'],
  },
  { title: 'Hooks', guide: 'See [hooks](../hooks.md).', names: ['hooks', 'hookTimeout'] },
  {
    title: 'Admin address and metrics',
    guide: 'See [the admin address](../admin.md) and [metrics](../observing.md).',
    names: ['admin', 'adminNames', 'adminTokenFile', 'adminMetricsTokenFile', 'metricsNames'],
  },
  {
    title: 'Log',
    guide: 'See [logs](../logs.md).',
    names: ['logLevel', 'logFormat', 'logFile', 'logMaxSize', 'logMaxAge', 'logKeep', 'logCompress'],
  },
];

export function optionsPage() {
  const grouped = GROUPS.flatMap(({ names }) => names);
  const wrong = [
    ...SETTING_NAMES.filter((name) => !grouped.includes(name)),
    ...grouped.filter((name) => !(name in SETTINGS)),
  ];
  if (wrong.length > 0)
    throw new Error(`cannot write the options: ${wrong.join(', ')} must be in one group of scripts/docs/options.js`);
  return page('Options', 'src/config/schema/schema.ts', [
    `Every option can stand in a configuration file (\`readyTimeout: 20s\`), in the environment
(\`HOLDFAST_READY_TIMEOUT=20s\`) and on the command line (\`--ready-timeout 20s\`). The later of these three wins.
[Configuration](../configuration.md) explains files and precedence.`,
    `A duration is \`500ms\`, \`30s\`, \`5m\` or \`1h\`; a size is \`300M\` or \`1G\`. Letters in parentheses are short flags. A relative path
in a file starts from that file's folder.`,
    ...GROUPS.map(
      ({ title, guide, names }) =>
        `## ${title}\n\n${table(['option', 'default', 'allowed', 'what it does'], names.map(row))}\n\n${guide}`,
    ),
    'Next: [commands](commands.md)',
  ]);
}

function row(name) {
  const { description, alias, default: value } = SETTINGS[name];
  const shown = alias === undefined ? code(name) : `${code(name)} (${code(`-${alias}`)})`;
  return [shown, value === undefined ? '' : code(value), allowedFor(SETTINGS[name]), description];
}

/** What the schema itself says when it refuses a value, without its examples. */
function allowedFor({ schema, choices }) {
  if (choices !== undefined) return codes(choices);
  const { error } = z.safeParse(schema, null);
  const [{ message }] = error.issues;
  return message.replace(/^must be (?:the )?/, '').replace(/, such as (?:500ms|300M|500K|1% or).*?(?=, or |$)/, '');
}
