/** `holdfast top`: the workers live, drawn in the terminal; once and as a plain table elsewhere. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Connection } from '../../control/client/client.js';
import { connectTo, listSupervisors, runningNames } from '../../control/client/find.js';
import { EXIT } from '../../errors.js';
import { type Command, type Context, flagText, looksOf } from '../process/context.js';
import { NO_HISTORY, observe } from '../top/model/history.js';
import { asJson, plainText } from '../top/plain.js';

/** Between the two looks that a rate is made of. */
const APART_MS = 1_000;

/** @throws HoldfastError NO_SUPERVISOR (exit code 3), NOT_ANSWERING */
export const run: Command = async (invocation, context) => {
  const { stdout, stderr, env, runtimeDir } = context;
  const name = flagText(invocation, 'name');
  const json = Boolean(invocation.flags.json);
  const isDrawn =
    !json && !invocation.flags.once && stdout.isTTY === true && process.stdin.isTTY && env.TERM !== 'dumb';
  // Not yet how they are: the view is there at once, whoever does not answer.
  const names = name === undefined ? await runningNames(runtimeDir) : [];
  if (names.length > 1) {
    if (isDrawn) return await draw(null, context);
    const { listOfSupervisors } = await import('../output/status-view.js');
    const several = await listSupervisors(runtimeDir);
    const shown = several.flatMap(({ status }) => status ?? []);
    stdout.write(json ? `${JSON.stringify(shown, null, 2)}\n` : listOfSupervisors(several, looksOf(stdout, env)));
    if (!json) stderr.write('several run: give one of them with --name to see its workers\n');
    return EXIT.done;
  }
  const connection = await connectTo(runtimeDir, name ?? names[0]);
  if (isDrawn) return await draw(connection.name, context);
  await printOnce(connection, json, context);
  return EXIT.done;
};

async function draw(name: string | null, context: Context) {
  const { live } = await import('../top/live.js');
  const unfinished = await live(name, context);
  if (unfinished !== null) {
    const { name, verb } = unfinished;
    const follow =
      verb === 'reload'
        ? `follow it      holdfast reload --follow --name ${name}`
        : `how it stands  holdfast status --name ${name}`;
    context.stderr.write(`holdfast: the ${verb} of ${name} goes on\n  ${follow}\n`);
  }
  return EXIT.done;
}

async function printOnce(connection: Connection, json: boolean, { stdout, interrupted }: Context): Promise<void> {
  const first = observe(NO_HISTORY, await connection.status(undefined, true));
  await delay(APART_MS, undefined, { signal: interrupted() }).catch(() => {});
  const history = observe(first, await connection.status(undefined, true));
  stdout.write(json ? `${JSON.stringify(asJson(history), null, 2)}\n` : plainText(history));
}
