/**
 * NODE_OPTIONS of the applications: what preloads modules there (an APM, a loader) is theirs, not the supervisor's and not
 * that of a command, which it would make large and slow. Pure.
 *
 * https://nodejs.org/api/cli.html#node_optionsoptions
 */

/** Where the whole of it waits until the process has begun without. */
export const KEPT = 'HOLDFAST_NODE_OPTIONS';

const PRELOADS = new Set('-r --require --import --loader --experimental-loader'.split(' '));
/** As Node splits it: at spaces, but for those between double quotes. */
const WORD = /(?:"(?:\\.|[^"\\])*"|[^\s"])+/g;
/** Without these, what is installed by Yarn's Plug'n'Play cannot be found, holdfast itself included. */
const PLUG_AND_PLAY = /\.pnp\.(?:loader\.)?[cm]?js"?$/;

/** What is left of it without what preloads modules. */
export function withoutPreloads(options: string): string {
  const words = options.match(WORD) ?? [];
  const kept: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    const [name = word, value] = word.split('=', 2);
    if (!PRELOADS.has(name)) {
      kept.push(word);
      continue;
    }
    const own = value === undefined ? words.slice(at, at + 2) : [word];
    if (PLUG_AND_PLAY.test(own.at(-1) ?? '')) kept.push(...own);
    at += own.length - 1;
  }
  return kept.join(' ');
}

/** The environment of a process that begins without preloads, and has the whole when it has begun; null where there are none. */
export function plainEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv | null {
  const options = env.NODE_OPTIONS ?? '';
  const own = withoutPreloads(options);
  if (own === (options.match(WORD) ?? []).join(' ')) return null;
  const plain: NodeJS.ProcessEnv = { ...env, [KEPT]: options, NODE_OPTIONS: own };
  if (own === '') delete plain.NODE_OPTIONS;
  return plain;
}

/** The other half: for this process's own environment, so that the processes that it starts have what was meant for them. */
export function restoreOptions(env: NodeJS.ProcessEnv): void {
  const kept = env[KEPT];
  if (kept === undefined) return;
  env.NODE_OPTIONS = kept;
  delete env[KEPT];
}
