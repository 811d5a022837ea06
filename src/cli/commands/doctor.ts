/** `holdfast doctor`: tries what this machine supports, by doing it, and says what that means. */
import { ensureRuntimeDir } from '../../control/runtime-dir.js';
import { checkPathLength, controlSocketPath } from '../../control/socket-path.js';
import { EXIT } from '../../errors.js';
import { examine, thisMachine } from '../../platform/doctor.js';
import { complaints, describeReport } from '../output/doctor-view.js';
import { errorText } from '../output/report-error.js';
import { type Command, columnsOf, wantsColour } from '../process/context.js';

/** The report goes to stdout; why a promise is not kept, and what to do about it, to stderr. */
export const run: Command = async (invocation, { stdout, stderr, env, runtimeDir }) => {
  const report = await examine(thisMachine({ env, runtimeDir, ensureRuntimeDir: prepareRuntimeDir }));
  if (invocation.flags.json) {
    stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  } else {
    stdout.write(describeReport(report, wantsColour(stdout, env), columnsOf(stdout)));
  }
  for (const { message, hint } of complaints(report)) stderr.write(errorText(message, hint));
  return report.ok ? EXIT.done : EXIT.failed;
};

async function prepareRuntimeDir(dir: string): Promise<void> {
  // Stands for the name of a supervisor.
  checkPathLength(controlSocketPath(dir, 'holdfast-doctor'));
  await ensureRuntimeDir(dir);
}
