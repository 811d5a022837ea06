/** How far a rollout is: for the events of a supervisor and for the views of its status alike. Pure. */

interface Rolling {
  readonly size: number;
  readonly rollout: { readonly to: number | null };
  readonly workers: readonly { readonly slot: number; readonly state: string; readonly generation: number }[];
}

/** Slots of the size that the new generation serves, and no other any more. */
export function replacedSlots({ workers, size, rollout }: Rolling): number {
  const served = new Set<number>();
  for (const { slot, state, generation } of workers) {
    if (slot < size && state === 'ready' && generation === rollout.to) served.add(slot);
  }
  for (const { slot, state, generation } of workers) {
    if (state === 'ready' && generation !== rollout.to) served.delete(slot);
  }
  return served.size;
}
