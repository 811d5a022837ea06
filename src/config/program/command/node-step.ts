/** Node itself, and the programs that prepare it for TypeScript: their options, and the script behind them. Pure. */
import { refuse, type Step } from './step.js';

/**
 * Options of node whose value may be a word of its own; those of V8 have theirs behind `=`.
 * https://nodejs.org/api/cli.html
 */
const WITH_VALUE = new Set(
  (
    '-r --require --import --loader --experimental-loader -C --conditions --env-file --env-file-if-exists --input-type ' +
    '--inspect-port --debug-port --title --icu-data-dir --openssl-config --redirect-warnings --disable-warning ' +
    '--diagnostic-dir --cpu-prof-dir --cpu-prof-interval --cpu-prof-name --heap-prof-dir --heap-prof-interval ' +
    '--heap-prof-name --heapsnapshot-near-heap-limit --heapsnapshot-signal --dns-result-order --unhandled-rejections ' +
    '--network-family-autoselection-attempt-timeout --report-dir --report-directory --report-filename ' +
    '--report-signal --secure-heap --secure-heap-min --tls-cipher-list --tls-keylog --trace-event-categories ' +
    '--trace-event-file-pattern --v8-pool-size --max-http-header-size --localstorage-file --allow-fs-read ' +
    '--allow-fs-write --stack-trace-limit --experimental-config-file --experimental-sea-config'
  ).split(' '),
);
/** Nothing of a file is run with these. */
const NO_SCRIPT = new Set([
  '-e',
  '--eval',
  '-p',
  '--print',
  '-c',
  '--check',
  '-i',
  '--interactive',
  '--test',
  '-',
  '--help',
]);
const RESTARTS = 'restarts it by itself: leave that out, and give holdfast --watch at the desk';

/** @param words behind `node` */
export function nodeStep(words: readonly string[]): Step {
  const { options, rest, refusal } = takeNodeOptions(words);
  if (refusal !== null) return refusal;
  const [run] = options.filter((option) => option.startsWith('--run='));
  if (run !== undefined) {
    return { go: 'script', name: run.slice('--run='.length), args: rest, orProgram: false };
  }
  const [script, ...args] = rest;
  return script === undefined ? refuse('names no script') : { go: 'node', nodeArgs: options, script, args };
}

interface NodeOptions {
  readonly options: readonly string[];
  readonly rest: readonly string[];
  readonly refusal: Step | null;
}

/** The options up to the script, each with its value as one word. */
function takeNodeOptions(words: readonly string[]): NodeOptions {
  const options: string[] = [];
  const refused = (reason: string) => ({ options, rest: [], refusal: refuse(reason) });
  let at = 0;
  for (; at < words.length; at++) {
    const word = words[at]!;
    if (word === '--') return { options, rest: words.slice(at + 1), refusal: null };
    const [name = word] = word.split('=', 1);
    if (NO_SCRIPT.has(name)) return refused(`runs no script with ${name}`);
    if (!word.startsWith('-')) break;
    if (name === '--watch' || name === '--watch-path') return refused(`with ${name} ${RESTARTS}`);
    if (name === word && (WITH_VALUE.has(word) || word === '--run')) {
      const value = words[++at];
      if (value === undefined) return refused(`has ${word} without a value`);
      // A short option takes its value as a word of its own only.
      options.push(...(word.startsWith('--') ? [`${word}=${value}`] : [word, value]));
    } else {
      options.push(word);
    }
  }
  return { options, rest: words.slice(at), refusal: null };
}

/** `tsx`: what it does to Node is a module of its own, so the worker is the application itself. @param words behind it */
export function tsxStep(words: readonly string[]): Step {
  if (words[0] === 'watch') return refuse(`watch ${RESTARTS}`);
  const env: Record<string, string> = {};
  const rest = [...words];
  while (rest[0]?.startsWith('-')) {
    if (rest[0] === '--no-cache') env.TSX_DISABLE_CACHE = '1';
    else if (rest[0] === '--tsconfig') env.TSX_TSCONFIG_PATH = rest.splice(0, 1) && (rest[0] ?? '');
    else if (rest[0].startsWith('--tsconfig=')) env.TSX_TSCONFIG_PATH = rest[0].slice('--tsconfig='.length);
    else break;
    rest.shift();
  }
  const step = nodeStep(rest);
  if (step.go !== 'node') return step;
  return { ...step, nodeArgs: ['--import=tsx', ...step.nodeArgs], env, needs: 'tsx' };
}

/** Flags of ts-node by the variable that says the same. */
const TS_NODE_FLAGS: Readonly<Record<string, string>> = {
  '-T': 'TS_NODE_TRANSPILE_ONLY',
  '--transpileOnly': 'TS_NODE_TRANSPILE_ONLY',
  '--files': 'TS_NODE_FILES',
  '-H': 'TS_NODE_COMPILER_HOST',
  '--compilerHost': 'TS_NODE_COMPILER_HOST',
  '--skipProject': 'TS_NODE_SKIP_PROJECT',
  '--skipIgnore': 'TS_NODE_SKIP_IGNORE',
  '--preferTsExts': 'TS_NODE_PREFER_TS_EXTS',
  '--pretty': 'TS_NODE_PRETTY',
  '--logError': 'TS_NODE_LOG_ERROR',
};
const TS_NODE_VALUES: Readonly<Record<string, string>> = {
  '-P': 'TS_NODE_PROJECT',
  '--project': 'TS_NODE_PROJECT',
  '-O': 'TS_NODE_COMPILER_OPTIONS',
  '--compilerOptions': 'TS_NODE_COMPILER_OPTIONS',
  '-C': 'TS_NODE_COMPILER',
  '--compiler': 'TS_NODE_COMPILER',
};

/** `ts-node` and its siblings: their options are variables as well. @param words behind it */
export function tsNodeStep(program: string, words: readonly string[]): Step {
  const env: Record<string, string> = program.endsWith('transpile-only') ? { TS_NODE_TRANSPILE_ONLY: 'true' } : {};
  const nodeArgs: string[] = [];
  let isEsm = program === 'ts-node-esm';
  let at = 0;
  for (; words[at]?.startsWith('-'); at++) {
    const [given = '', value] = words[at]!.split('=', 2);
    const option = given.startsWith('--')
      ? given.replace(/(?<=[a-z])-([a-z])/g, (_, c: string) => c.toUpperCase())
      : given;
    const flag = TS_NODE_FLAGS[option];
    const variable = TS_NODE_VALUES[option];
    if (option === '--esm') isEsm = true;
    else if (flag !== undefined) env[flag] = 'true';
    else if (variable !== undefined) env[variable] = value ?? words[++at] ?? '';
    else if (option === '-r' || option === '--require') nodeArgs.push(`--require=${value ?? words[++at] ?? ''}`);
    else return refuse(`has the option ${given}, which is not followed: leave it out, or set it in tsconfig.json`);
  }
  const [script, ...args] = words.slice(at);
  if (script === undefined) return refuse('names no script');
  const loader = isEsm ? '--loader=ts-node/esm' : '--require=ts-node/register';
  return { go: 'node', nodeArgs: [loader, ...nodeArgs], script, args, env, needs: 'ts-node' };
}
