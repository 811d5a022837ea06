/** Processes that share a port by themselves, without a supervisor: what everything else is compared with. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { end, endGently, launch } from './launch.js';
import { freePort } from './processes.js';

export const serverScript = path.join(path.dirname(fileURLToPath(import.meta.url)), '../apps/server.cjs');

/** @returns a contender, which besides has `retire`: SIGTERM, then patience */
export async function startBare({ workers, env = {} }) {
  const port = await freePort();
  const all = [];
  const replacements = new Set();
  let stopped = false;

  const one = async () => {
    const worker = launch(process.execPath, [serverScript], { ...env, PORT: String(port), BARE: '1' });
    await worker.until((line) => line.startsWith('ready'));
    worker.child.once('exit', (_code, signal) => {
      // Who was killed from outside is replaced, as systemd would do it.
      if (signal !== 'SIGKILL' || stopped || !all.includes(worker)) return;
      const replacement = one().then((fresh) => {
        all[all.indexOf(worker)] = fresh;
        replacements.delete(replacement);
      });
      replacements.add(replacement);
    });
    return worker;
  };
  const endAll = async (ending) => {
    stopped = true;
    await Promise.all(replacements);
    for (const { child } of all) await ending(child);
  };

  for (let i = 0; i < workers; i++) all.push(await one());
  return {
    port,
    primary: null,
    workers: () => all.map(({ child }) => child.pid),
    async reload() {
      for (const [i, old] of [...all].entries()) {
        all[i] = await one();
        await endGently(old.child);
      }
    },
    retire: () => endAll(endGently),
    stop: () => endAll((child) => end(child, 'SIGKILL')),
  };
}
