/**
 * Words that begin a command without being the application: what runs scripts, sets variables or prepares Node. Pure, and
 * loads nothing: the command line asks here which words belong together.
 */

/** What each cannot be followed to, as the end of "must be …; NAME …". */
export const REFUSED: ReadonlyMap<string, string> = new Map([
  ...each(
    'nodemon node-dev ts-node-dev tsnd',
    'restarts it by itself: name the script alone, with --watch at the desk',
  ),
  ...each(
    'concurrently npm-run-all npm-run-all2 run-p run-s turbo nx lerna',
    'runs several commands: name one of them',
  ),
  ...each('pm2 pm2-runtime pm2-docker forever holdfast', 'supervises it by itself: name what it supervises'),
  ...each('bun bunx deno', 'is not Node: run it as it is, with --exec'),
  ...each('sudo su gosu su-exec', 'changes the user: start holdfast as that user, and name the rest'),
  ...each('dotenvx', 'decrypts variables: name the rest, with --node-args=--import=@dotenvx/dotenvx/config'),
]);

const FOLLOWED = new Set(
  (
    'node npm pnpm yarn yarnpkg npx pnpx tsx ts-node ts-node-esm ts-node-transpile-only cross-env cross-env-shell ' +
    'env-cmd dotenv env exec sh bash dumb-init tini'
  ).split(' '),
);

/** Whether the words behind it are part of the command. */
export function isLauncher(word: string): boolean {
  return FOLLOWED.has(word) || REFUSED.has(word);
}

/** The words as one text that a shell would read as the same words. */
export function joinWords(words: readonly string[]): string {
  return words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(' ');
}

function each(names: string, reason: string): [string, string][] {
  return names.split(' ').map((name) => [name, reason]);
}
