import { existsSync, readFileSync } from 'node:fs';
import t from 'tap';
import { countKills, OomWatch } from '../../../src/supervisor/upkeep/oom.js';

/** A machine of which only these files can be read. */
function machine(files: Readonly<Record<string, string>>): () => number | null {
  return () =>
    countKills((file) => {
      const text = files[file];
      if (text === undefined) throw new Error(`ENOENT: ${file}`);
      return text;
    });
}

const VMSTAT = { '/proc/vmstat': 'pgfault 12345\noom_kill 40\npgmajfault 1\n' };
const events = (kills: number) => `low 0\nhigh 0\nmax 7\noom 5\noom_kill ${kills}\noom_group_kill 9\n`;
const control = (kills: number) => `oom_kill_disable 0\nunder_oom 0\noom_kill ${kills}\n`;

t.test('a kill is told once', async (t) => {
  let kills = 3;
  const watch = new OomWatch(() => kills);
  t.equal(watch.hasKilled(), false, 'what happened before is not news');
  kills = 5;
  t.equal(watch.hasKilled(), true);
  t.equal(watch.hasKilled(), false);
});

t.test('where the kernel does not count, nothing is told', async (t) => {
  let kills: number | null = null;
  const watch = new OomWatch(() => kills);
  t.equal(watch.hasKilled(), false);
  kills = 8;
  t.equal(watch.hasKilled(), false, 'a counter that has come into sight says nothing of what came before');
  kills = null;
  t.equal(watch.hasKilled(), false, 'nor does one that has gone out of sight');
  kills = 9;
  t.equal(watch.hasKilled(), false);
  kills = 10;
  t.equal(watch.hasKilled(), true);
});

t.test('a counter that begins anew is no kill', async (t) => {
  let kills = 7;
  const watch = new OomWatch(() => kills);
  kills = 0;
  t.equal(watch.hasKilled(), false);
  kills = 1;
  t.equal(watch.hasKilled(), true);
});

t.test('the own cgroup counts, not the whole machine', async (t) => {
  const unit = machine({
    ...VMSTAT,
    '/proc/self/cgroup': '0::/system.slice/app.service\n',
    '/sys/fs/cgroup/system.slice/app.service/memory.events': events(2),
  });
  t.equal(unit(), 2, 'version 2, a systemd unit');

  const container = machine({
    ...VMSTAT,
    '/proc/self/cgroup': '0::/\n',
    '/sys/fs/cgroup/memory.events': events(3),
  });
  t.equal(container(), 3, 'version 2, a container');

  const old = machine({
    ...VMSTAT,
    '/proc/self/cgroup': '9:name=systemd:/\n4:cpu,memory:/app\n1:cpuset:/\n0::/\n',
    '/sys/fs/cgroup/memory/app/memory.oom_control': control(4),
    '/sys/fs/cgroup/memory/memory.oom_control': control(30),
  });
  t.equal(old(), 4, 'version 1');

  const oldContainer = machine({
    ...VMSTAT,
    '/proc/self/cgroup': '4:memory:/docker/0123abcd\n',
    '/sys/fs/cgroup/memory/memory.oom_control': control(5),
  });
  t.equal(oldContainer(), 5, 'version 1, a container that is told a path which it cannot see');
});

t.test('the whole machine counts where no cgroup does', async (t) => {
  t.equal(machine({ ...VMSTAT, '/proc/self/cgroup': '0::/\n' })(), 40);
  t.equal(machine(VMSTAT)(), 40);
  const without = { '/proc/self/cgroup': '4:memory:/\n', '/sys/fs/cgroup/memory/memory.oom_control': 'under_oom 0\n' };
  t.equal(machine({ ...VMSTAT, ...without })(), 40, 'a kernel whose cgroups do not count kills');
  t.equal(machine({})(), null, 'another system');
});

t.test('this machine tells a number wherever it has one', async (t) => {
  const kills = countKills();
  const vmstat = existsSync('/proc/vmstat') ? readFileSync('/proc/vmstat', 'utf8') : '';
  if (/^oom_kill /m.test(vmstat)) t.not(kills, null);
  t.ok(kills === null || (Number.isSafeInteger(kills) && kills >= 0));
});
