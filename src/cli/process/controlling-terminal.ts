/**
 * The terminal that the program was started in: tty(4). When it is closed the kernel takes it away, and then sends SIGHUP, so that
 * a HUP can be told from one that somebody has sent.
 */
import { closeSync, openSync } from 'node:fs';
import { isatty } from 'node:tty';

/** Where nothing leads to it from the start (nohup, a shell's `>log 2>&1 </dev/null`), the program is not to go with it. */
export const hadTerminal = [0, 1, 2].some((fd) => isatty(fd)) && canOpen();

/** Whether there was one, and it has gone. */
export function isTerminalGone(): boolean {
  return hadTerminal && !canOpen();
}

/** Before the process ends: Node puts a terminal back as it was, and aborts where that has gone, unless something else has taken its place. */
export function leaveTerminal(): void {
  if (!isTerminalGone()) return;
  for (const fd of [0, 1, 2]) {
    try {
      closeSync(fd);
      // It is given the lowest number that is free.
      openSync('/dev/null', 'r+');
    } catch {
      // A descriptor that is closed will do as well.
    }
  }
}

function canOpen(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Anything else, such as too many open files, says nothing of it.
    return code !== 'ENXIO' && code !== 'EIO' && code !== 'ENOENT' && code !== 'ENODEV';
  }
}
