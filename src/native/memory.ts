/** Memory of the process beside V8's. */
type Libc = ReturnType<typeof import('koffi')['load']>;

/**
 * @returns gives what has been freed back to the system, which otherwise stays with the process: each worker that is started
 *   has needed some of it. Does nothing where libc has no malloc_trim(3), which is glibc's own
 */
export function openTrim(libc: Libc): () => void {
  let trim: ((padBytes: number) => number) | null | undefined;
  return () => {
    if (trim === undefined) trim = find(libc);
    trim?.(0);
  };
}

function find(libc: Libc): ((padBytes: number) => number) | null {
  try {
    return libc.func('int malloc_trim(size_t pad)');
  } catch {
    return null;
  }
}
