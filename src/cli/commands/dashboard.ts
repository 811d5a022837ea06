/** `holdfast dashboard`: a page over all supervisors of the runtime folder, on loopback, until Ctrl-C. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { DashboardServer } from '../../control/admin/dashboard.js';
import { EXIT, HoldfastError } from '../../errors.js';
import { ownFile } from '../../platform/own-package.js';
import { Watch } from '../dashboard/watch.js';
import { type Command, flagText } from '../process/context.js';

const DEFAULT_PORT = '9645';
const LARGEST_PORT = 65_535;

/** @throws HoldfastError where it cannot listen; RUNTIME_DIR_UNSAFE */
export const run: Command = async (invocation, { stdout, stderr, runtimeDir, interrupted }) => {
  const port = portOf(flagText(invocation, 'port') ?? DEFAULT_PORT);
  const watch = new Watch(runtimeDir);
  // What is wrong with the folder is told here, and not on the page.
  await watch.list();
  const end = interrupted();
  const server = await open(port, watch);
  const { url } = server;
  stdout.write(invocation.flags.json ? `${JSON.stringify({ url })}\n` : `${url}\n`);
  stderr.write(`  all supervisors of ${runtimeDir}, until Ctrl-C\n`);
  if (!end.aborted) await once(end, 'abort');
  await server.close();
  return EXIT.done;
};

async function open(port: number, watch: Watch): Promise<DashboardServer> {
  const readPage = (name: string) => readFile(ownFile(`dist/page/${name}.br`));
  try {
    return await DashboardServer.open({ port, list: () => watch.list(), readPage });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new HoldfastError('DASHBOARD_FAILED', `cannot listen on 127.0.0.1:${port}: ${code}`, {
      hint: 'another dashboard may run there; give another --port, or --port 0 for any free one',
      cause,
    });
  }
}

function portOf(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port <= LARGEST_PORT) return port;
  throw new HoldfastError('USAGE', `cannot listen on the port ${text}: it is not a port number`, {
    hint: `a port is a number from 0 to ${LARGEST_PORT}`,
    exitCode: EXIT.usage,
  });
}
