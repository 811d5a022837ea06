/** `holdfast inspect`: opens the inspector of a live worker until Ctrl-C. */

import type { ProgressLine } from '../../control/client/client.js';
import { connectTo } from '../../control/client/find.js';
import { EXIT } from '../../errors.js';
import { errorText } from '../output/report-error.js';
import { printable } from '../output/table.js';
import { type Command, flagText } from '../process/context.js';

/** @throws HoldfastError NO_SUPERVISOR (exit code 3), CONNECTION_LOST */
export const run: Command = async (invocation, context) => {
  const { stdout, stderr, runtimeDir } = context;
  const connection = await connectTo(runtimeDir, flagText(invocation, 'name'));
  const of = invocation.operand === undefined ? 'first' : Number(invocation.operand);
  const interrupted = context.interrupted();
  const opened = ({ fields }: ProgressLine) => {
    const url = printable(String(fields.url));
    if (invocation.flags.json) {
      stdout.write(`${JSON.stringify({ worker: fields.worker, url })}\n`);
      return;
    }
    stderr.write(
      `${connection.name}: the inspector of worker ${fields.worker} is open until Ctrl-C; who has this URL commands the worker\n`,
    );
    stdout.write(`${url}\n`);
    stderr.write(
      `  in Chrome   devtools://devtools/bundled/js_app.html?experiments=true&v8only=true&ws=${url.replace('ws://', '')}\n`,
    );
    stderr.write(`  from afar   ssh -L ${portOf(url)}:127.0.0.1:${portOf(url)} HOST, then the same\n`);
  };
  try {
    const result = await connection.perform({ inspect: { of } }, opened, interrupted);
    if (result.ok) return EXIT.done;
    const hint = `its workers: holdfast status ${connection.name}`;
    stderr.write(errorText(`cannot inspect ${connection.name}: ${result.reason ?? result.message}`, hint));
    return EXIT.failed;
  } catch (error) {
    // The supervisor sees that nobody waits any more, and closes the inspector.
    if (interrupted.aborted) return EXIT.done;
    throw error;
  }
};

function portOf(url: string): string {
  return /:(\d+)\//.exec(url)?.[1] ?? '';
}
