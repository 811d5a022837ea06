// Loaded into a primary: each worker gets a session of its own, as those of bare processes and holdfast have. Where no
// cgroup does it the kernel shares the processors by session, and who has only one would get less.
const { ChildProcess } = require('node:child_process');

const { spawn } = ChildProcess.prototype;
ChildProcess.prototype.spawn = function spawnDetached(options) {
  return spawn.call(this, { ...options, detached: true });
};
