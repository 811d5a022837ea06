/** Workers of supervisors that have died, for `status` and `stop`, which find no supervisor to ask. */
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { controlSocketPath, probeSocket } from '../../control/socket-path.js';
import { HoldfastError } from '../../errors.js';
import { type FoundOrphan, namesLeft } from '../../supervisor/takeover/orphans/orphans.js';
import { ownOrphans } from '../../supervisor/takeover/orphans/own-orphans.js';
import { type Column, formatTable, printable } from '../output/table.js';

export interface OrphanGroup {
  readonly name: string;
  readonly workers: readonly FoundOrphan[];
}

/** @param name of the supervisor; any where it is not given. Those that run have no orphans */
export async function orphansIn(runtimeDir: string, name: string | undefined): Promise<OrphanGroup[]> {
  const groups: OrphanGroup[] = [];
  for (const one of name === undefined ? namesLeft(runtimeDir) : [name]) {
    if (await isRunning(runtimeDir, one)) continue;
    const workers = ownOrphans(runtimeDir, one);
    if (workers.length > 0) groups.push({ name: one, workers });
  }
  return groups;
}

/** By its claim as well: somebody may have removed its control socket. */
async function isRunning(runtimeDir: string, name: string): Promise<boolean> {
  const lock = path.join(path.resolve(runtimeDir), `${name}.lock`);
  const entries = await readdir(lock).catch(() => []);
  const sockets = [controlSocketPath(runtimeDir, name), ...entries.map((entry) => path.join(lock, entry))];
  for (const socket of sockets) if ((await probeSocket(socket)) === 'listening') return true;
  return false;
}

/** Whether the error says that there is nobody to ask. */
export function isNoSupervisor(error: unknown): boolean {
  return error instanceof HoldfastError && error.code === 'NO_SUPERVISOR';
}

const COLUMNS: readonly Column<FoundOrphan>[] = [
  { title: 'slot', align: 'right', cell: ({ slot }) => ({ text: String(slot) }) },
  { title: 'worker', align: 'right', cell: ({ worker }) => ({ text: String(worker) }) },
  { title: 'gen', align: 'right', cell: ({ generation }) => ({ text: String(generation) }) },
  { title: 'pid', align: 'right', cell: ({ pid }) => ({ text: String(pid) }) },
];

/** For people. */
export function describeOrphans({ name, workers }: OrphanGroup): string {
  const count = workers.length === 1 ? '1 worker serves on' : `${workers.length} workers serve on`;
  const hints = [
    'take them over  holdfast start, with the same name and runtime folder',
    `end them        holdfast stop --name ${name}`,
  ];
  const head = `${printable(name)}  no supervisor: it has died, ${count}`;
  return `${head}\n${hints.map((hint) => `  ${printable(hint)}\n`).join('')}\n${formatTable(COLUMNS, workers)}`;
}

/** For programs. */
export function orphansAsJson({ name, workers }: OrphanGroup) {
  const seen = workers.map(({ worker: id, slot, generation, pid }) => ({ id, slot, generation, pid, state: 'orphan' }));
  return { name, state: 'no supervisor', workers: seen };
}
