// A program that runs a server under a supervisor of its own: `node examples/embedded/program.js`.
// It reloads on SIGHUP, and ends the supervisor on Ctrl-C; should it be killed, the supervisor stops by itself.
import { Supervisor } from 'holdfast/supervisor';

const shop = new Supervisor(
  { name: 'embedded', script: new URL('./server.js', import.meta.url).pathname, instances: 2, trial: '500ms' },
  { output: 'ignore' },
);

shop.on('workerExited', ({ slot, crashed, code, signal }) => {
  if (crashed) console.log(`slot ${slot} crashed: ${signal ?? code}`);
});
shop.on('rolloutProgress', ({ replaced, size }) => console.log(`${replaced} of ${size} replaced`));
shop.on('ended', ({ code }) => console.log(`ended with ${code}`));

process.on('SIGHUP', async () => {
  try {
    await shop.reload();
    const { generation } = await shop.status();
    console.log(`generation ${generation} serves`);
  } catch (error) {
    console.error(`${error.message}\n  ${error.hint}`);
  }
});
process.once('SIGINT', () => shop.stop());

const { ready, addresses } = await shop.start();
console.log(`${ready} workers on port ${addresses[0].port}`);
