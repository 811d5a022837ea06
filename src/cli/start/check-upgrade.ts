/**
 * `holdfast start --check-upgrade`: whether this version would get up in the place of a supervisor that runs. Asked by that one, in
 * a process of its own: reads what it would be passed and the configuration, loads the supervisor, and starts nothing.
 */
import { EXIT, type ExitCode, HoldfastError } from '../../errors.js';
import { ownPackage } from '../../platform/own-package.js';
import { checkPassed } from '../../supervisor/upgrade/arrival.js';
import { answerOf, CHECK_FLAG } from '../../supervisor/upgrade/dry-run.js';
import { UPGRADE_VARIABLE } from '../../supervisor/upgrade/passed-state.js';
import { type PreparedFrom, prepareConfig } from '../prepare/prepared-config.js';
import type { Context } from '../process/context.js';
import { ownWords } from './detached.js';

/** The words without the flag. */
export function wordsToStart(argv: readonly string[]): string[] {
  const own = ownWords(argv);
  return [...own.filter((word) => word !== CHECK_FLAG), ...argv.slice(own.length)];
}

/** @throws HoldfastError where it would not start, with the reason */
export async function checkUpgrade(from: PreparedFrom, context: Context): Promise<ExitCode> {
  const { env, stdout } = context;
  const file = env[UPGRADE_VARIABLE] ?? '';
  delete env[UPGRADE_VARIABLE];
  checkPassed(file);
  const { [UPGRADE_VARIABLE]: _, ...own } = from.env;
  const { exitCode, loaded } = await prepareConfig({ ...from, env: own, argv: wordsToStart(from.argv) }, context);
  if (loaded === null) return exitCode === EXIT.done ? EXIT.failed : exitCode;
  if ('several' in loaded) throw refused('the file now has several applications');
  const name = nameIn(file);
  if (loaded.config.name !== name) throw refused(`it would be called ${loaded.config.name}, not ${name}`);
  await import('../../supervisor/process/run.js');
  stdout.write(answerOf({ version: ownPackage().version, nodeVersion: process.version }));
  return EXIT.done;
}

/** Of the supervisor that asks. */
function nameIn(file: string): string {
  return (file.split('/').at(-1) ?? '').replace(/\.upgrade$/, '');
}

function refused(reason: string): HoldfastError {
  return new HoldfastError('UPGRADE_REFUSED', `cannot take the place of the supervisor: ${reason}`, {
    hint: 'change the file back, or run holdfast stop, then holdfast start',
  });
}
