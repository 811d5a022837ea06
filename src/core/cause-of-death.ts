/** How a worker ended. */
export type Cause = 'exit' | 'uncaught' | 'signal' | 'heapOutOfMemory' | 'outOfMemoryKilled' | 'notStarted';
export function causeOfDeath({ code, signal, lastLines }: { readonly code: number | null; readonly signal: string | null; readonly lastLines: readonly string[]; readonly oomKilled: boolean; readonly killedByUs: boolean }): { readonly cause: Cause; readonly text: string } {
  if (code === null && signal === null) return { cause: 'notStarted', text: `a worker could not be started: ${lastLines.join('\n')}` };
  return signal === null ? { cause: 'exit', text: `a worker exited with code ${code}` } : { cause: 'signal', text: `a worker was ended by ${signal}` };
}
