/**
 * The first that a program does which has taken the place of a supervisor by exec: the descriptors that it was passed are its own
 * again, and until it has taken over all workers its last act is to start the version before once more. Loaded before anything
 * that could fail; imports little.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { HoldfastError } from '../../errors.js';
import { type Exec, loadExec } from '../../native/exec.js';
import {
  descriptorsOf,
  type PassedState,
  readPassedState,
  UPGRADE_VARIABLE,
  writePassedState,
} from './passed-state.js';

/** What is written before the end, for people. */
const MOST_CHARACTERS = 4_000;

/** This process is the next image of a supervisor. */
export interface Arrival {
  readonly state: PassedState;
  readonly exec: Exec;
  /** Whether it has not taken over yet: then its end is not that of the workers. */
  isPending(): boolean;
  /** What goes wrong, in the words that its owner is told. */
  heard(text: string): void;
  /** It has taken over, or is to end as any other. */
  done(): void;
}

let arrival: Arrival | null = null;

/** null in any other process. */
export function arrived(): Arrival | null {
  return arrival;
}

/**
 * To be called once signals are listened to.
 *
 * @throws HoldfastError where what was passed cannot be read
 */
export function arrive(env: NodeJS.ProcessEnv): void {
  const file = env[UPGRADE_VARIABLE] ?? '';
  delete env[UPGRADE_VARIABLE];
  const exec = loadExec();
  const state = readPassed(file);
  if (exec === null) throw cannotGoOn('koffi cannot be loaded');
  const { upgrade } = state;
  // Nothing that is started from here on is to have them.
  exec.closeOnExec(descriptorsOf(upgrade));
  arrival = { ...arm(exec, state, file, { ...env }), state, exec };
}

/** Whether this program could go on with it: it reads all that it would be passed. @throws HoldfastError where it could not */
export function checkPassed(file: string): void {
  readPassed(file);
  if (loadExec() === null) throw cannotGoOn('koffi cannot be loaded');
}

/** @throws HoldfastError */
function readPassed(file: string): PassedState {
  let written: string;
  try {
    written = readFileSync(file, 'utf8');
  } catch (error) {
    throw cannotGoOn(error instanceof Error ? error.message : String(error));
  }
  const read = readPassedState(written);
  if (!read.ok) throw cannotGoOn(read.reason);
  return read.snapshot;
}

function cannotGoOn(reason: string): HoldfastError {
  return new HoldfastError('UPGRADE_STATE', `cannot read the state of the previous supervisor: ${reason}`, {
    hint: 'the workers keep serving: holdfast start takes them over',
  });
}

function arm(exec: Exec, state: PassedState, file: string, env: NodeJS.ProcessEnv) {
  const { upgrade } = state;
  // What is closed on the way to the end must be there for the next one all the same.
  const spares = new Map<number, number>();
  // The one before is started once; its own end leaves the workers to whoever starts the next.
  let pending = true;
  let said = '';
  const heard = (text: string) => {
    said = (said + text).slice(-MOST_CHARACTERS);
  };
  if (upgrade.failure === null) {
    for (const fd of descriptorsOf({ ...upgrade, control: null })) {
      const spare = exec.duplicate(fd);
      if (spare !== null) spares.set(fd, spare);
    }
  }
  const crashed = (error: unknown) => heard(error instanceof Error ? `${error.message}\n` : `${String(error)}\n`);
  const lastAct = (code: number) => {
    if (!pending || upgrade.failure !== null) return;
    pending = false;
    const { node, nodeArgs, script, args } = upgrade.program;
    const failure = said.trim() || `it ended with exit code ${code}`;
    const sockets = upgrade.sockets.flatMap(({ fd, name }) => {
      const spare = spares.get(fd);
      return spare === undefined ? [] : [{ fd: spare, name }];
    });
    const spareAdmin = upgrade.admin === null ? undefined : spares.get(upgrade.admin.fd);
    const admin = upgrade.admin === null || spareAdmin === undefined ? null : { ...upgrade.admin, fd: spareAdmin };
    try {
      // The name is claimed anew: this program may have given it up on its way.
      const next = { ...state, upgrade: { ...upgrade, failure, sockets, control: null, admin } };
      writeFileSync(file, writePassedState(next), { mode: 0o600 });
      const variables = { ...env, [UPGRADE_VARIABLE]: file };
      exec.execve(node, [node, ...nodeArgs, script, ...args], variables, [0, 1, 2, ...spares.values()]);
    } catch {
      // The workers serve on, and wait for whoever is started next.
    }
  };
  process.on('uncaughtExceptionMonitor', crashed);
  process.on('exit', lastAct);
  const done = () => {
    pending = false;
    process.removeListener('exit', lastAct);
    process.removeListener('uncaughtExceptionMonitor', crashed);
    for (const spare of spares.values()) exec.close(spare);
    spares.clear();
    rmSync(file, { force: true });
  };
  return { isPending: () => pending, heard, done };
}
