/** What the first word of a command means: what is to be looked at next. */

export type Step =
  /** Goes on with a shorter command. `files` are read as `dotenv` does. */
  | {
      readonly go: 'command';
      readonly words: readonly string[];
      readonly env?: Readonly<Record<string, string>>;
      readonly envFiles?: readonly EnvFile[];
      readonly cwd?: string;
    }
  /** Goes on with what a shell would read. */
  | { readonly go: 'shell'; readonly text: string; readonly env?: Readonly<Record<string, string>> }
  /** A script of the nearest package.json; a program of an installed package, where `orProgram` and there is none. */
  | {
      readonly go: 'script';
      readonly name: string;
      readonly args: readonly string[];
      readonly orProgram: boolean;
      readonly cwd?: string;
    }
  /** A program of an installed package. */
  | { readonly go: 'program'; readonly name: string; readonly args: readonly string[] }
  /** Node with options, a script and its arguments. */
  | {
      readonly go: 'node';
      readonly nodeArgs: readonly string[];
      readonly script: string;
      readonly args: readonly string[];
      readonly env?: Readonly<Record<string, string>>;
      /** A package that the options need. */
      readonly needs?: string;
    }
  | { readonly go: 'refuse'; readonly reason: string };

export interface EnvFile {
  readonly file: string;
  /** Whether its values win over those that there are. */
  readonly overrides: boolean;
  /** Whether variables in its values are put in. */
  readonly expands: boolean;
  readonly mayBeMissing: boolean;
}

export function refuse(reason: string): Step {
  return { go: 'refuse', reason };
}
