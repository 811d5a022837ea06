/**
 * What a service is kept from. Everything here has been tried with Node 20, 22, 24 and 26; what breaks Node or common
 * libraries is not in it, and why is said below. See systemd.exec(5). Pure.
 *
 * Left out on purpose:
 * - MemoryDenyWriteExecute: V8 writes the code that it runs.
 * - ProcSubset=pid: takes away /proc/stat, so that `os.cpus()` is empty, and with it many an application's pool.
 * - RemoveIPC for users that exist: it would delete shared memory that other programs of the same user have. With
 *   DynamicUser it is implied.
 * - PrivateUsers: the control socket could not tell root from nobody.
 */
import { type Block, set } from './unit-file.js';
import { type Text, word } from './unit-text.js';

export interface Sandbox {
  readonly isRoot: boolean;
  /** Below /home, /root or /run/user lies something that the service has to read. */
  readonly readsHome: boolean;
  /** What it has to read of /tmp and /var/tmp: its own folders there, which DynamicUser insists on, would hide it. */
  readonly readsTmp: readonly string[];
  /** The application itself binds ports below 1024. */
  readonly privilegedPorts: boolean;
  /** What it may write to, besides its runtime and state folders. */
  readonly writable: readonly Text[];
}

export function hardening({ isRoot, readsHome, readsTmp, privilegedPorts, writable }: Sandbox): Block[] {
  const capability = privilegedPorts ? 'CAP_NET_BIND_SERVICE' : '';
  return [
    {
      why: 'The system is read-only, but for $STATE_DIRECTORY, /tmp and what is named here.',
      settings: [
        set('ProtectSystem', 'strict', 232),
        set('ProtectHome', readsHome ? 'read-only' : 'yes'),
        set('PrivateTmp', 'yes'),
        ...readsTmp.map((path) => set('BindReadOnlyPaths', colonless(word(path)), 233)),
        // One that is missing must not keep the service from starting.
        ...writable.map((path) => set('ReadWritePaths', dashed(path), 231)),
        set('UMask', '0077'),
      ],
    },
    {
      settings: [
        set('PrivateDevices', 'yes'),
        set('PrivateMounts', 'yes', 239),
        set('ProtectClock', 'yes', 245),
        set('ProtectControlGroups', 'yes', 232),
        set('ProtectHostname', 'yes', 242),
        set('ProtectKernelLogs', 'yes', 244),
        set('ProtectKernelModules', 'yes', 232),
        set('ProtectKernelTunables', 'yes', 232),
        set('ProtectProc', 'invisible', 247),
      ],
    },
    {
      why: privilegedPorts
        ? 'No right of root but to bind ports below 1024.'
        : 'No right of root. (`holdfast unit --privileged-ports` gives that to bind ports below 1024.)',
      settings: [
        set('CapabilityBoundingSet', capability),
        isRoot || !privilegedPorts ? null : set('AmbientCapabilities', capability, 229),
        set('NoNewPrivileges', 'yes'),
        set('RestrictSUIDSGID', 'yes', 242),
      ],
    },
    {
      why: 'AF_NETLINK is what os.networkInterfaces() needs.',
      settings: [
        set('RestrictAddressFamilies', 'AF_UNIX AF_INET AF_INET6 AF_NETLINK'),
        set('RestrictNamespaces', 'yes', 233),
        set('RestrictRealtime', 'yes', 231),
        set('LockPersonality', 'yes', 235),
      ],
    },
    {
      // chown is taken back in: libraries that unpack archives give files to the very user that has them already.
      why: 'Other system calls fail with EPERM. V8 needs @pkey.',
      settings: [
        set('SystemCallArchitectures', 'native'),
        set('SystemCallFilter', '@system-service @pkey', 239),
        set('SystemCallFilter', '~@privileged', 239),
        set('SystemCallFilter', '@chown', 239),
        set('SystemCallErrorNumber', 'EPERM'),
      ],
    },
  ];
}

/** Outside of quotes a colon stands before the place at which a path is to be seen. */
function colonless(path: string): string {
  return path.includes(':') && !path.startsWith('"') ? `"${path}"` : path;
}

function dashed(path: Text): string {
  return word(typeof path === 'string' ? `-${path}` : { raw: `-${path.raw}` });
}
