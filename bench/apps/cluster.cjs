// node:cluster as its documentation has it. SIGHUP replaces the workers one by one, the new one listening first.
const cluster = require('node:cluster');
const path = require('node:path');

const workers = Number(process.env.WORKERS);
cluster.schedulingPolicy = process.env.POLICY === 'shared' ? cluster.SCHED_NONE : cluster.SCHED_RR;
cluster.setupPrimary({ exec: path.join(__dirname, 'server.cjs') });

function fork() {
  const worker = cluster.fork();
  return new Promise((resolve) => worker.once('listening', () => resolve(worker)));
}

const up = Promise.all(Array.from({ length: workers }, fork));
up.then((all) => console.log(`up ${all.map((worker) => worker.process.pid).join(' ')}`));

process.on('SIGHUP', async () => {
  for (const old of Object.values(cluster.workers)) {
    await fork();
    const gone = new Promise((resolve) => old.once('exit', resolve));
    old.disconnect();
    old.process.kill('SIGTERM');
    // As PM2 does: who does not end by itself is ended.
    const force = setTimeout(() => old.process.kill('SIGKILL'), 1_600);
    await gone;
    clearTimeout(force);
  }
  const pids = Object.values(cluster.workers).map((worker) => worker.process.pid);
  console.log(`up ${pids.join(' ')}`);
});
// A worker that was killed is replaced, as every guide does it.
cluster.on('exit', (worker, _code, signal) => {
  if (signal === 'SIGKILL' && !worker.exitedAfterDisconnect) fork();
});
process.once('SIGTERM', () => {
  for (const worker of Object.values(cluster.workers)) worker.process.kill('SIGKILL');
  process.exit(0);
});
