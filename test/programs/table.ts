/** All programs that are tried: docs/programs.md has the same rows. */
import { BUILT } from './built.js';
import type { Program } from './program.js';
import { SERVERS } from './servers.js';

export const PROGRAMS: readonly Program[] = [...BUILT, ...SERVERS];
