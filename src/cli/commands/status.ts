/** `holdfast status`: the supervisors and their workers, for people or as JSON. */
import { connectTo, type ListedSupervisor, listSupervisors } from '../../control/client/find.js';
import { EXIT, HoldfastError } from '../../errors.js';
import type { SupervisorStatus } from '../../protocol/status.js';
import { giveAMoment } from '../gone/coming-back.js';
import { describeOrphans, isNoSupervisor, orphansAsJson, orphansIn } from '../gone/orphans.js';
import { describeSupervisor, listOfSupervisors } from '../output/status-view.js';
import { type Command, flagText, looksOf } from '../process/context.js';

/** Words that ask for a line for each supervisor, also where there is one. */
const LIST = /^(?:ls|list|ps)$/;

/** @throws HoldfastError NO_SUPERVISOR (exit code 3), NOT_ANSWERING */
export const run: Command = async (invocation, context) => {
  const { stdout, runtimeDir } = context;
  try {
    return await ofSupervisors(invocation, context);
  } catch (error) {
    const meant = invocation.names?.filter((one) => one !== 'all') ?? [flagText(invocation, 'name')];
    if (!isNoSupervisor(error) || meant.length > 1) throw error;
    const left = await orphansIn(runtimeDir, meant[0]);
    if (left.length === 0) throw error;
    const told = left.map(orphansAsJson);
    if (!invocation.flags.json) stdout.write(left.map(describeOrphans).join('\n'));
    // A list has them already.
    else if (meant[0] !== undefined || !LIST.test(invocation.word ?? ''))
      stdout.write(asJson(told.length === 1 ? told[0] : told));
    return EXIT.noSupervisor;
  }
};

const ofSupervisors: Command = async (invocation, { stdout, env, runtimeDir }) => {
  const json = Boolean(invocation.flags.json);
  const looks = looksOf(stdout, env);
  const asList = LIST.test(invocation.word ?? '');
  const name = flagText(invocation, 'name');
  const names = invocation.names ?? (name === undefined ? ['all'] : [name]);
  await giveAMoment(runtimeDir, names);
  const listed = names.includes('all')
    ? await listSupervisors(runtimeDir)
    : await Promise.all([...new Set(names)].map((one) => ask(runtimeDir, one)));
  const [only, ...others] = listed;
  const left = names.includes('all') && (listed.length > 0 || asList) ? await orphansIn(runtimeDir, undefined) : [];
  if (only === undefined) {
    if (json && asList) stdout.write(asJson(left.map(orphansAsJson)));
    // The error of who asks for the only one.
    await connectTo(runtimeDir);
  } else if (others.length === 0 && !asList) {
    const status = answerOf(only);
    stdout.write(json ? asJson(status) : describeSupervisor(status, looks));
  } else if (json) stdout.write(asJson([...listed.map(jsonOf), ...left.map(orphansAsJson)]));
  else if (asList || invocation.names === undefined) stdout.write(listOfSupervisors(listed, looks));
  else stdout.write(listed.map((one) => describeSupervisor(answerOf(one), looks)).join('\n'));
  if (!json) for (const group of left) stdout.write(`\n${describeOrphans(group)}`);
  return EXIT.done;
};

async function ask(runtimeDir: string, name: string): Promise<ListedSupervisor> {
  const connection = await connectTo(runtimeDir, name);
  return { name, status: await connection.status().catch(() => null) };
}

function answerOf({ name, status }: ListedSupervisor): SupervisorStatus {
  if (status !== null) return status;
  throw new HoldfastError('NOT_ANSWERING', `cannot read the status of ${name}: it does not answer`, {
    hint: 'it may be stopped or very busy: look at its process, or try again',
  });
}

function jsonOf({ name, status }: ListedSupervisor): SupervisorStatus | { name: string; state: string } {
  return status ?? { name, state: 'not answering' };
}

function asJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
