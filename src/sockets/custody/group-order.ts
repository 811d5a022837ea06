/**
 * The order of the sockets in one reuse-port group, which is what a steering program answers with. The kernel does not
 * tell it, so it is kept here as the kernel keeps it (Linux `net/core/sock_reuseport.c`): whoever listens or stops to
 * listen must say so, in the order in which it happens. Pure.
 */

/** T is known by identity: whatever stands for a socket. */
export class GroupOrder<T> {
  readonly #members: T[] = [];
  readonly #indexes = new Map<T, number>();

  /** By index. A view: it changes with the group. */
  get members(): readonly T[] {
    return this.#members;
  }

  /**
   * To be called when the socket starts to listen: being bound is not enough. A socket that listens already, because it
   * came from outside, joined before all that do so later. One that is a member stays where it is, as in the kernel when
   * it is told to listen again.
   */
  join(member: T): void {
    if (this.#indexes.has(member)) return;
    this.#indexes.set(member, this.#members.length);
    this.#members.push(member);
  }

  /**
   * To be called when the last duplicate of the socket is closed, in whatever process it is: the last member takes over
   * its index. Nothing changes for one that never listened.
   */
  leave(member: T): void {
    const index = this.#indexes.get(member);
    if (index === undefined) return;
    this.#indexes.delete(member);
    const last = this.#members.pop()!;
    if (last === member) return;
    this.#members[index] = last;
    this.#indexes.set(last, index);
  }

  /** -1 for one that is not in the group. */
  indexOf(member: T): number {
    return this.#indexes.get(member) ?? -1;
  }
}
