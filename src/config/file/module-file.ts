/**
 * A configuration that is a program: `holdfast.config.mjs`, whose default export (or `module.exports`) is the options, a promise of
 * them, or a function, async or not, that returns them. An ES module may export `apps` by that name instead, as PM2 has it.
 *
 * It runs in a thread of its own: one that loops for ever, or leaves something open, ends with the thread.
 */
import { realpath } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { checkFile, Unreadable } from '../text/text-file.js';

/** How long a configuration may take to load before that is a fault: it must not hang a reload for ever. */
const LOAD_TIMEOUT_MS = 10_000;

/** What Node says of CommonJS in a file that it takes for an ES module. */
const IN_ES_MODULE = /^ReferenceError: .* is not defined in ES module scope/;

/** What the thread says, once. */
type Said =
  | { readonly value: unknown }
  /** It has no default export. */
  | { readonly missing: true }
  | { readonly threw: string; readonly stack?: string };

/**
 * Reads the module, and what it imports, anew at each call.
 *
 * @throws Unreadable
 */
export async function loadModule(file: string, timeoutMs: number = LOAD_TIMEOUT_MS): Promise<unknown> {
  await checkFile(file);
  // Node remembers where links lead for as long as it runs, so a moved link is only seen if it is followed here.
  const actual = await realpath(file);
  const said = await evaluate(pathToFileURL(actual).href, timeoutMs);
  if ('missing' in said) throw new Unreadable('must have a default export: export default { … }');
  if ('threw' in said) {
    const place = placeIn(said.stack ?? '', actual) ?? (await syntaxPlace(said.threw, actual));
    const rename = IN_ES_MODULE.test(said.threw) ? '; its package.json has "type": "module": call the file .cjs' : '';
    throw new Unreadable(
      `must load without an error; ${place === null ? '' : `${place}: `}it threw ${said.threw}${rename}`,
    );
  }
  return revived(said.value);
}

/** Where in the file, or in one that it loads, as its stack has it. */
function placeIn(stack: string, file: string): string | null {
  const own = [file, pathToFileURL(file).href];
  for (const line of stack.split('\n')) {
    const [, named = '', at] = /(?:^|[\s(])((?:file:\/\/)?\/[^():]+):(\d+)(?::\d+)?\)?$/.exec(line) ?? [];
    if (at !== undefined && !named.includes('/node_modules/'))
      return own.includes(named) ? `line ${at}` : `${named}:${at}`;
  }
  return null;
}

/** An ES module's syntax error does not say where it is, but to who only has it checked. */
async function syntaxPlace(threw: string, file: string): Promise<string | null> {
  if (!threw.startsWith('SyntaxError')) return null;
  const { spawnSync } = await import('node:child_process');
  const { stderr } = spawnSync(process.execPath, ['--check', file], { encoding: 'utf8', timeout: LOAD_TIMEOUT_MS });
  return placeIn(String(stderr), file);
}

async function evaluate(url: string, timeoutMs: number): Promise<Said> {
  // Loaded by who needs it: few have a configuration that is a program.
  const { Worker } = await import('node:worker_threads');
  const thread = new Worker(`(${inThread})()`, { eval: true, workerData: { url }, stdout: true });
  // Standard output is what the command says: a log of JSON lines, or JSON.
  thread.stdout.pipe(process.stderr, { end: false });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<Said>((resolve, reject) => {
      timer = setTimeout(() => reject(new Unreadable(`must load within ${timeoutMs} ms`)), timeoutMs);
      thread.once('message', resolve);
      thread.once('error', (error) => {
        const stack = error instanceof Error && error.stack !== undefined ? { stack: error.stack } : {};
        resolve({ threw: String(error).split('\n', 1)[0] ?? '', ...stack });
      });
      // 13 is what Node ends with where a module waits for what nobody does.
      thread.once('exit', (code) =>
        reject(
          new Unreadable(
            code === 0 || code === 13
              ? 'must give its options; it ended without: a promise that nobody resolves, or process.exit()'
              : `must load; it ended with process.exit(${code})`,
          ),
        ),
      );
    });
  } finally {
    clearTimeout(timer);
    await thread.terminate();
  }
}

/**
 * The program of the thread: its text is handed over, so it may use nothing from around it. What cannot be sent, such as a
 * function among the options, is replaced by an object that names its kind.
 */
function inThread(): void {
  const { parentPort, workerData } = process.getBuiltinModule('node:worker_threads');
  const seen = new Map<object, unknown>();
  const sendable = (value: unknown): unknown => {
    if (typeof value === 'function' || typeof value === 'symbol') return { holdfastKind: typeof value };
    if (typeof value !== 'object' || value === null) return value;
    const known = seen.get(value);
    if (known !== undefined) return known;
    const copy: Record<string, unknown> | unknown[] = Array.isArray(value) ? [] : {};
    seen.set(value, copy);
    for (const [key, item] of Object.entries(value)) (copy as Record<string, unknown>)[key] = sendable(item);
    return copy;
  };
  const load = async () => {
    // This script's own, which an ES module does not have.
    for (const name of ['module', 'exports', 'require']) Reflect.deleteProperty(globalThis, name);
    const module = (await import(workerData.url)) as { readonly default?: unknown; readonly apps?: unknown };
    const isNamed = !('default' in module) && 'apps' in module;
    if (!('default' in module) && !isNamed) return { missing: true };
    const given = isNamed ? { ...module } : module.default;
    return { value: sendable(await (typeof given === 'function' ? given() : given)) };
  };
  load()
    .catch((error: unknown) => ({
      threw: String(error).split('\n', 1)[0],
      stack: error instanceof Error ? String(error.stack) : '',
    }))
    .then((said) => parentPort?.postMessage(said));
}

/** As it was, as far as a fault has to tell what is wrong with it. */
function revived(value: unknown, seen = new Set<object>()): unknown {
  if (typeof value !== 'object' || value === null || seen.has(value)) return value;
  const { holdfastKind: kind } = value as { readonly holdfastKind?: unknown };
  if (kind === 'function') return () => {};
  if (kind === 'symbol') return Symbol('of a configuration');
  seen.add(value);
  for (const [key, item] of Object.entries(value)) (value as Record<string, unknown>)[key] = revived(item, seen);
  return value;
}
