import type { Test } from 'tap';

/** One program of the registry as the tests of this folder install it, start it and ask it. */
export interface Program {
  /** As docs/programs.md calls it. */
  readonly name: string;
  /** What is installed, the program first, each in an exact version that runs on every Node that holdfast runs on. */
  readonly packages: Readonly<Record<string, string>>;
  readonly installer?: 'npm' | 'pnpm';
  /** By path: what an owner would have written. A package.json holds only what is beside the dependencies. */
  readonly files: Readonly<Record<string, string>>;
  /** Commands, run once after the installation. */
  readonly build?: readonly string[];
  /** CI runs it: one of a kind, installed and built within a minute. */
  readonly inCi: boolean;
  /** How its documentation starts it. */
  readonly plain: string;
  /** The same behind `holdfast start`. */
  readonly start: string;
  /** PORT is added, unless it chooses one by itself. */
  readonly env?: Readonly<Record<string, string>>;
  /** Started by the test. */
  readonly beside?: (t: Test) => Promise<Beside>;
  /** Started without PORT: what it prints has the port as the first group. */
  readonly announces?: RegExp;
  /** 2, unless it is made for one. */
  readonly instances?: number;
  /** Asked again and again, on a new connection each. */
  readonly get: Question;
  /** Sent again and again, on connections that stay open; no request is sent twice. */
  readonly post: Question;
  /** Asked once after the start and once after the reloads. */
  readonly others?: readonly Question[];
}

export interface Question {
  readonly path: string;
  /** JSON. With one it is a POST. */
  readonly body?: string;
  /** The answer is as under plain Node in each byte, and has this in it. */
  readonly expected: RegExp;
  /** It tells of the process that answers: only status, type and what is expected are as under plain Node. */
  readonly differs?: boolean;
}

/** What a program needs beside it. */
export interface Beside {
  readonly env: Readonly<Record<string, string>>;
  /** @param answers that the program has given in all, now that it has ended */
  readonly check: (answers: number) => void;
}
