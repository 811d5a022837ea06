/** Exit codes of the command line: part of the interface. */
export const EXIT = { done: 0, failed: 1, usage: 2, noSupervisor: 3 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/**
 * An error that is told to a person: "cannot VERB OBJECT: reason", then what to do next.
 *
 * `code` is stable and for programs; `hint` is the next step; `exitCode` is what the command line ends with.
 */
export class HoldfastError extends Error {
  readonly code: string;
  readonly hint: string | undefined;
  readonly exitCode: ExitCode;

  constructor(
    code: string,
    message: string,
    options: { hint?: string | undefined; exitCode?: ExitCode; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'HoldfastError';
    this.code = code;
    this.hint = options.hint;
    this.exitCode = options.exitCode ?? EXIT.failed;
  }
}
