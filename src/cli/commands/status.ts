/** `holdfast status`: the supervisors and their workers, for people or as JSON. */
import { connectTo, type ListedSupervisor, listSupervisors } from '../../control/client.js';
import { EXIT, HoldfastError } from '../../errors.js';
import type { SupervisorStatus } from '../../protocol.js';
import { type Command, flagText, wantsColour } from '../context.js';
import { describeSupervisor, listOfSupervisors } from '../status-view.js';

/** @throws HoldfastError NO_SUPERVISOR (exit code 3), NOT_ANSWERING */
export const run: Command = async (invocation, { stdout, env, runtimeDir }) => {
  const json = Boolean(invocation.flags.json);
  const colour = wantsColour(stdout, env);
  const name = flagText(invocation, 'name');
  const listed = name === undefined ? await listSupervisors(runtimeDir) : [];
  if (listed.length > 1) {
    stdout.write(json ? asJson(listed.map(jsonOf)) : listOfSupervisors(listed, colour));
    return EXIT.done;
  }
  const [only] = listed;
  const status = only === undefined ? await (await connectTo(runtimeDir, name)).status() : answerOf(only);
  stdout.write(json ? asJson(status) : describeSupervisor(status, colour));
  return EXIT.done;
};

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
