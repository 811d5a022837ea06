/** Another program in the place of this one, with its PID: execve(2). */
import { loadExec } from '../native/exec.js';

type Execve = (file: string, argv: readonly string[], env: NodeJS.ProcessEnv) => never;

/** Number of the first file descriptor that a service manager passes: sd_listen_fds(3). */
const FIRST_PASSED = 3;

/**
 * Returns only where it cannot be done, and then nothing has changed.
 *
 * @param passed how many file descriptors after the standard ones the program shall have
 */
export function replaceProcess(argv: readonly string[], env: NodeJS.ProcessEnv, passed: number): void {
  const [file = process.execPath] = argv;
  // From 22.15 on; it leaves open what is standard, and nothing else.
  const { execve } = process as { readonly execve?: Execve };
  try {
    if (execve !== undefined && passed === 0) execve.call(process, file, argv, env);
    const native = loadExec();
    if (native === null) return;
    const fds = Array.from({ length: FIRST_PASSED + passed }, (_, fd) => fd);
    native.execve(file, argv, env, fds);
  } catch {
    // As it was.
  }
}
