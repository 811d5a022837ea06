/**
 * Ends the programs when the supervisor is killed: they have no channel whose end they could notice, and would go on to hold the
 * port. A shell that reads a pipe of the supervisor, and has nothing to do until that is closed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { spawning } from '../../spawn.js';
import { SHELL } from './program-process.js';

/** `$1`: how many seconds they have from SIGTERM to SIGKILL. A worker leads a process group. */
const SCRIPT = `
pids=
while read -r what pid; do
  case $what in
    begun) pids="$pids $pid" ;;
    ended)
      rest=
      for each in $pids; do [ "$each" = "$pid" ] || rest="$rest $each"; done
      pids=$rest ;;
  esac
done
for pid in $pids; do kill -TERM "$pid" 2>/dev/null; done
left=$1
while [ -n "$pids" ] && [ "$left" -gt 0 ]; do
  sleep 1
  left=$((left - 1))
  rest=
  for pid in $pids; do kill -0 "$pid" 2>/dev/null && rest="$rest $pid"; done
  pids=$rest
done
for pid in $pids; do kill -KILL -"$pid" 2>/dev/null; done
`;

export class ProgramGuard {
  readonly #graceMs: number;
  #shell: ChildProcess | null = null;

  /** @param graceMs from SIGTERM to SIGKILL */
  constructor(graceMs: number) {
    this.#graceMs = graceMs;
  }

  begun(pid: number): void {
    this.#tell(`begun ${pid}`);
  }

  ended(pid: number): void {
    if (this.#shell !== null) this.#tell(`ended ${pid}`);
  }

  /** Whoever is left then is ended by it. */
  close(): void {
    this.#shell?.stdin?.end();
    this.#shell = null;
  }

  #tell(line: string): void {
    this.#shell ??= this.#begin();
    this.#shell.stdin?.write(`${line}\n`);
  }

  #begin(): ChildProcess {
    const args = ['-c', SCRIPT, SHELL, String(Math.ceil(this.#graceMs / 1000))];
    // What ends the supervisor's process group must not end it.
    const shell = spawning(() => spawn(SHELL, args, { stdio: ['pipe', 'ignore', 'ignore'], detached: true, cwd: '/' }));
    // Without a shell nobody is guarded, as nobody gets a socket.
    shell.on('error', () => {});
    shell.stdin?.on('error', () => {});
    shell.unref();
    (shell.stdin as (NodeJS.WritableStream & { unref?(): void }) | null)?.unref?.();
    return shell;
  }
}
