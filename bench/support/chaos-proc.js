/** What the kernel says of processes, their files and their connections. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** How many files of each kind it has open, and those about workers that may have ended (src/monitor/usage.ts). */
export function openFiles(pid) {
  const kinds = {};
  let about = 0;
  for (const file of filesOf(pid)) {
    if (/^\/proc\/\d+\/stat$/.test(file)) about += 1;
    else {
      const kind = file.replace(/\d+/g, 'N');
      kinds[kind] = (kinds[kind] ?? 0) + 1;
    }
  }
  return { kinds, about };
}

/** What its sockets are, for people. */
export function describeSockets(pid) {
  const rows = ['unix', 'tcp', 'tcp6', 'udp'].flatMap((name) => rowsOf(name).map((row) => [name, ...row]));
  return socketsOf(pid).map((inode) => rows.find((row) => row.includes(inode))?.join(' ') ?? inode);
}

/** Peers' ports of the connections to the port that a process has accepted: to be asked of one that is stopped. */
export function connectionsOf(pid, port) {
  const inodes = new Set(socketsOf(pid));
  const own = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const held = rowsOf('tcp').filter(([, local, , , , , , , , inode]) => local?.endsWith(own) && inodes.has(inode));
  return new Set(held.map(([, , peer]) => Number.parseInt(peer.split(':')[1], 16)));
}

/** PIDs of all processes that were started with it in their environment. */
export function processesWith(assignment) {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(assignment);
      } catch {
        return false;
      }
    })
    .map(Number);
}

function socketsOf(pid) {
  return filesOf(pid).flatMap((file) => /^socket:\[(\d+)\]$/.exec(file)?.[1] ?? []);
}

/** Without those that are closed meanwhile. @throws where there is no such process */
function filesOf(pid) {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
    } catch {
      return [];
    }
  });
}

function rowsOf(table) {
  const rows = readFileSync(`/proc/net/${table}`, 'utf8').split('\n').slice(1);
  return rows.map((row) => row.trim().split(/\s+/));
}
