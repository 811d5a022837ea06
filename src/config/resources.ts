/** What the machine, or the container, lets the workers have: facts that some options are counted from. */
export interface Resources {
  /** What `instances: max` comes to, before its own upper bound. */
  readonly processors: number;
  /** What percentages of memory are of. */
  readonly memoryBytes: number;
}
