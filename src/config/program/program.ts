/** What there is to run: a script, and what goes with it. */
export interface Program {
  /** Relative to `cwd` where it is below it, else absolute, unless the owner names the very file. */
  readonly script: string;
  /** Those of the command, then the owner's. */
  readonly args: readonly string[];
  readonly nodeArgs: readonly string[];
  /** Variables that the command sets. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /**
   * `npm start → node dist/server.js`: without the values of variables, and without the owner's own arguments. null where the
   * owner names the very file.
   */
  readonly said: string | null;
  /** Of a supervisor whose owner gives none. */
  readonly name: string;
}
