import t from 'tap';
import type { Check } from '../../src/platform/checks/check.js';
import { backlog, migration, synBacklog } from '../../src/platform/checks/kernel.js';
import { koffi, nodeVersion, openFiles } from '../../src/platform/checks/process.js';
import { reuseAddr, reusePort } from '../../src/platform/checks/reuse.js';
import { runtimeFolder } from '../../src/platform/checks/runtime-folder.js';
import { acceptQueue, affinity, steering } from '../../src/platform/checks/steering.js';
import { container, systemd } from '../../src/platform/checks/surroundings.js';
import { takeover } from '../../src/platform/checks/takeover.js';

type Row<Facts> = readonly [facts: Facts, expected: Readonly<Record<string, unknown>>];

function table<Facts>(title: string, check: Check<Facts>, rows: readonly Row<Facts>[]): void {
  t.test(title, async (t) => {
    for (const [facts, expected] of rows) t.match(check.judge(facts), expected, JSON.stringify(facts));
  });
}

table('SO_REUSEPORT is there or not, whoever sets it', reusePort, [
  [
    { supported: true, how: 'node', reason: 'by Node' },
    { result: 'ok', found: /both got.*by Node/, remedy: null },
  ],
  [
    { supported: true, how: 'native', reason: 'by libc' },
    { result: 'ok', found: /both got.*by libc/, remedy: null },
  ],
  [
    { supported: false, how: null, reason: 'why not' },
    { result: 'missing', found: 'why not', remedy: /koffi/ },
  ],
]);

table('SO_REUSEADDR counts as proven only where TIME_WAIT is seen, or known not to matter', reuseAddr, [
  [
    { timeWaitSeen: true, control: 'refused', fault: null },
    { result: 'ok', found: /without the option .* refused/ },
  ],
  [
    { timeWaitSeen: null, control: 'refused', fault: null },
    { result: 'ok', remedy: null },
  ],
  [
    { timeWaitSeen: true, control: 'untried', fault: null },
    { result: 'ok', remedy: null },
  ],
  [
    { timeWaitSeen: false, control: 'bound', fault: null },
    { result: 'ok', found: /even without the option/ },
  ],
  [
    { timeWaitSeen: null, control: 'untried', fault: null },
    { result: 'unknown', remedy: /koffi/ },
  ],
  [
    { timeWaitSeen: false, control: 'untried', fault: null },
    { result: 'unknown', remedy: /koffi/ },
  ],
  [
    { timeWaitSeen: true, control: 'refused', fault: 'EADDRINUSE' },
    { result: 'missing', found: /EADDRINUSE/ },
  ],
]);

const weights = [0, 1, 3];
table('steering holds where the shares are those of the weights, up to chance', steering, [
  [
    { weights, received: [0, 64, 192] },
    { result: 'ok', found: /0 : 1 : 3 gave 0 : 64 : 192 of 256/ },
  ],
  [{ weights, received: [0, 90, 166] }, { result: 'ok' }],
  [
    { weights, received: [1, 64, 191] },
    { result: 'missing', found: /does not go by it/ },
  ],
  [{ weights, received: [0, 128, 128] }, { result: 'missing' }],
  [{ weights, received: [85, 85, 86] }, { result: 'missing' }],
  [{ weights, received: [0, 0, 256] }, { result: 'missing' }],
  [{ weights, received: [0, 0, 0] }, { result: 'missing' }],
  [
    { why: 'noLibc', reason: 'no koffi' },
    { result: 'missing', found: 'no koffi', remedy: /npm install koffi/ },
  ],
  [
    { why: 'noGroup', reason: 'no group' },
    { result: 'missing', found: 'no group', remedy: /SO_REUSEPORT/ },
  ],
  [
    { why: 'refused', reason: 'ENOTSUP' },
    { result: 'missing', found: 'ENOTSUP', remedy: /Linux/ },
  ],
]);

table('affinity holds where each address has one socket, and not all have the same', affinity, [
  [
    {
      received: [
        [4, 0],
        [0, 4],
      ],
    },
    { result: 'ok', found: /^2 of 2 .*; 2 sockets/ },
  ],
  [
    {
      received: [
        [4, 0],
        [4, 0],
      ],
    },
    { result: 'missing', found: /; 1 sockets/ },
  ],
  [
    {
      received: [
        [4, 0],
        [1, 3],
      ],
    },
    { result: 'missing', found: /^1 of 2/ },
  ],
  [
    { why: 'refused', reason: 'ENOTSUP' },
    { result: 'missing', meaning: /refused at start/ },
  ],
]);

table('an accept queue is seen where the system tells its true length', acceptQueue, [
  [{ waiting: 3, queue: { length: 3, limit: 3 } }, { result: 'ok' }],
  [
    { waiting: 3, queue: { length: 0, limit: 3 } },
    { result: 'missing', found: /says 0/ },
  ],
  [
    { waiting: 3, queue: null },
    { result: 'missing', found: /does not tell/ },
  ],
  [
    { why: 'noLibc', reason: 'no koffi' },
    { result: 'missing', remedy: /npm install koffi/ },
  ],
]);

table('a backlog below what Node asks for is too small, whoever says so', backlog, [
  [
    { somaxconn: 4096, granted: 511 },
    { result: 'ok', found: /4096.*511 are granted/, remedy: null },
  ],
  [{ somaxconn: 4096, granted: null }, { result: 'ok' }],
  [{ somaxconn: 511, granted: 511 }, { result: 'ok' }],
  [
    { somaxconn: 128, granted: 128 },
    { result: 'degraded', remedy: /net\.core\.somaxconn/ },
  ],
  [{ somaxconn: 4096, granted: 128 }, { result: 'degraded' }],
  [{ somaxconn: null, granted: 128 }, { result: 'degraded' }],
  [{ somaxconn: null, granted: 511 }, { result: 'ok' }],
  [
    { somaxconn: null, granted: null },
    { result: 'unknown', remedy: null },
  ],
]);

table('few half-open connections are no harm where SYN cookies are on', synBacklog, [
  [{ maxSynBacklog: 1024, synCookies: 0 }, { result: 'ok' }],
  [
    { maxSynBacklog: 128, synCookies: 1 },
    { result: 'ok', found: /cookies are on/ },
  ],
  [
    { maxSynBacklog: 128, synCookies: 0 },
    { result: 'degraded', remedy: /tcp_syncookies/ },
  ],
  [{ maxSynBacklog: 128, synCookies: null }, { result: 'degraded' }],
  [{ maxSynBacklog: null, synCookies: null }, { result: 'unknown' }],
]);

table('migration is never needed', migration, [
  [{ migrateReq: 0 }, { result: 'ok', found: '0 (off)', meaning: /^not needed/, remedy: null }],
  [{ migrateReq: 1 }, { result: 'ok', found: '1 (on)' }],
  [{ migrateReq: null }, { result: 'missing', meaning: /^not needed/, remedy: null }],
]);

const { POSITIVE_INFINITY: none } = Number;
table('the limit of open files is held against what workers need', openFiles, [
  [
    { limits: { soft: 524288, hard: 524288 }, processors: 8 },
    { result: 'ok', remedy: null },
  ],
  [
    { limits: { soft: none, hard: none }, processors: 8 },
    { result: 'ok', found: /unlimited/, meaning: /any number/ },
  ],
  [
    { limits: { soft: 1024, hard: 4096 }, processors: 8 },
    { result: 'degraded', meaning: /984/, remedy: /ulimit/ },
  ],
  [
    { limits: { soft: 256, hard: 256 }, processors: 64 },
    { result: 'degraded', meaning: /64 workers/ },
  ],
  [{ limits: null, processors: 8 }, { result: 'unknown' }],
]);

table('a Node outside of the supported range is named', nodeVersion, [
  [{ version: 'v22.12.0', range: '^22.12.0 || >=24' }, { result: 'ok' }],
  [
    { version: 'v23.1.0', range: '^22.12.0 || >=24' },
    { result: 'degraded', remedy: /\^22\.12\.0 \|\| >=24/ },
  ],
]);

table('the remedy for koffi depends on whether it could help', koffi, [
  [
    { ok: true, reason: '', systemKnown: true },
    { result: 'ok', remedy: null },
  ],
  [
    { ok: false, reason: 'no module', systemKnown: true },
    { result: 'missing', found: 'no module', remedy: /npm/ },
  ],
  [
    { ok: false, reason: 'no numbers', systemKnown: false },
    { result: 'missing', remedy: /use Linux/ },
  ],
]);

table('workers outlive their supervisor where that was seen, and the next one can find them', takeover, [
  [
    { failure: null, isSeen: true, isFirst: false },
    { result: 'ok', meaning: /killed or upgraded/, remedy: null },
  ],
  [
    { failure: null, isSeen: true, isFirst: true },
    { result: 'ok', meaning: /process 1, and everything ends with it/, remedy: null },
  ],
  [
    { failure: null, isSeen: false, isFirst: false },
    { result: 'missing', found: /does not show whose/, remedy: /Linux/ },
  ],
  [
    { failure: 'why', isSeen: false, isFirst: false },
    { result: 'missing', found: 'why', remedy: /version of Node/ },
  ],
]);

table('a runtime folder says what is in the way', runtimeFolder, [
  [
    { dir: '/run/x', fault: null },
    { result: 'ok', found: /^\/run\/x / },
  ],
  [
    { dir: '/run/x', fault: { reason: 'why', hint: 'do' } },
    { result: 'missing', found: 'why', remedy: 'do' },
  ],
]);

table('systemd is not needed, and its version matters where it is', systemd, [
  [
    { init: 'systemd', notifySocket: false, version: 254 },
    { result: 'ok', meaning: 'holdfast can run as a service' },
  ],
  [
    { init: 'systemd', notifySocket: true, version: 252 },
    { result: 'ok', found: /NOTIFY/, meaning: /needs 253/ },
  ],
  [
    { init: 'node', notifySocket: false, version: 252 },
    { result: 'missing', meaning: /^not needed/, remedy: null },
  ],
  [
    { init: null, notifySocket: false, version: null },
    { result: 'missing', found: /no systemctl/ },
  ],
]);

const unlimited = { version: 2, cpus: null, memoryBytes: null } as const;
table('what a quota leaves of the processors is told', container, [
  [
    { sign: null, limits: unlimited, processors: 8 },
    { result: 'ok', found: /^no container, cgroup v2, no CPU quota/ },
  ],
  [
    { sign: '/.dockerenv', limits: { ...unlimited, cpus: 1.5, memoryBytes: 2 ** 29 }, processors: 8 },
    {
      result: 'ok',
      found: /\.dockerenv.*quota of 1\.5, .* 512 MiB/,
      meaning: 'instances: max is 1 here, because of the quota',
    },
  ],
  [
    { sign: null, limits: { ...unlimited, cpus: 0.1 }, processors: 1 },
    { result: 'degraded', found: /1 processor$/, meaning: /max is 1 here, and/, remedy: /one processor/ },
  ],
  [
    { sign: null, limits: { ...unlimited, cpus: 8 }, processors: 8 },
    { result: 'ok', meaning: 'instances: max is 8 here' },
  ],
]);
