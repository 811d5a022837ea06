/** A question to who sits at the terminal. Loaded where one is asked. */
import { createInterface } from 'node:readline/promises';

/** @returns whether the answer was yes; anything else, Ctrl-C and the end of the input included, is no */
export async function confirm(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const ended = new Promise<string>((resolve) => {
    terminal.once('close', () => resolve(''));
  });
  try {
    const answer = await Promise.race([terminal.question(`${question} [y/N] `), ended]);
    return /^y(?:es)?$/i.test(answer.trim());
  } finally {
    terminal.close();
  }
}
