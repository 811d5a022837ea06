/** Reads a file with a token. The configuration has its path alone: what is shown of it is never the token. */
import { readTextFile, Unreadable } from './text-file.js';

/** Shorter ones can be guessed. */
const TOKEN = /^[\x21-\x7e]{16,1024}$/;

/** @throws Unreadable */
export async function readToken(file: string): Promise<string> {
  const token = (await readTextFile(file)).trim();
  if (TOKEN.test(token)) return token;
  throw new Unreadable(`must be a file with one line of 16 to 1024 characters without spaces; ${file} is not`);
}
