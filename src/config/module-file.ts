/**
 * A configuration that is a program: `holdfast.config.mjs`, whose default export (or `module.exports`) is the options, or
 * a function, async or not, that returns them.
 */
import { realpath } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { checkFile, Unreadable } from './text-file.js';

/** How long a configuration may take to load before that is a fault: it must not hang a reload for ever. */
const LOAD_TIMEOUT_MS = 10_000;

const require = createRequire(import.meta.url);
let loads = 0;

/**
 * Reads the module anew at each call. What it imports in turn stays as first read. Each version stays in memory: Node
 * never forgets an ES module.
 *
 * @throws Unreadable
 */
export async function loadModule(file: string, timeoutMs: number = LOAD_TIMEOUT_MS): Promise<unknown> {
  await checkFile(file);
  // Node remembers where links lead for as long as it runs, so a moved link is only seen if it is followed here.
  const actual = await realpath(file);
  delete require.cache[actual];
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Unreadable(`must load within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([evaluate(actual), tooLate]);
  } catch (error) {
    if (error instanceof Unreadable) throw error;
    const [reason] = String(error).split('\n');
    throw new Unreadable(`must load without an error; it threw ${reason}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

async function evaluate(file: string): Promise<unknown> {
  const module = await import(`${pathToFileURL(file).href}?load=${++loads}`);
  if (!('default' in module)) throw new Unreadable('must have a default export: export default { … }');
  return typeof module.default === 'function' ? module.default() : module.default;
}
