/** `holdfast status`: the supervisors and their workers, for people or as JSON. */
import { connectTo, type ListedSupervisor, listSupervisors } from '../../control/client.js';
import { EXIT, HoldfastError } from '../../errors.js';
import type { SupervisorStatus } from '../../protocol.js';
import { giveAMoment } from '../coming-back.js';
import { type Command, flagText, looksOf } from '../context.js';
import { describeSupervisor, listOfSupervisors } from '../status-view.js';

/** Words that ask for a line for each supervisor, also where there is one. */
const LIST = /^(?:ls|list|ps)$/;

/** @throws HoldfastError NO_SUPERVISOR (exit code 3), NOT_ANSWERING */
export const run: Command = async (invocation, { stdout, env, runtimeDir }) => {
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
  if (only === undefined) {
    if (json && asList) stdout.write(asJson([]));
    // The error of who asks for the only one.
    await connectTo(runtimeDir);
  } else if (others.length === 0 && !asList) {
    const status = answerOf(only);
    stdout.write(json ? asJson(status) : describeSupervisor(status, looks));
  } else if (json) stdout.write(asJson(listed.map(jsonOf)));
  else if (asList || invocation.names === undefined) stdout.write(listOfSupervisors(listed, looks));
  else stdout.write(listed.map((one) => describeSupervisor(answerOf(one), looks)).join('\n'));
  return EXIT.done;
};

async function ask(runtimeDir: string, name: string): Promise<ListedSupervisor> {
  const connection = await connectTo(runtimeDir, name);
  return { name, status: await connection.status().catch(() => null) };
}

function answerOf({ name, status }: ListedSupervisor): SupervisorStatus {
  if (status !== null) return status;
  throw new HoldfastError('NOT_ANSWERING', `cannot read the status of ${name}: it does not answer`, {
    hint: 'it may be stopped or very busy; look at its process',
  });
}

function jsonOf({ name, status }: ListedSupervisor): SupervisorStatus | { name: string; state: string } {
  return status ?? { name, state: 'not answering' };
}

function asJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
