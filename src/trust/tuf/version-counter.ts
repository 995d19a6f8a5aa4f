/** Which version comes next. The guard takes each version of a key's role once, so bins, which share their keys, share a count as well. */
import type { PublishedLists } from './published.js';
import type { GuardedRole } from './signer.js';
import type { TufState } from './state.js';

export class VersionCounter {
  readonly #highest = new Map<string, number>();

  /** @param guarded what the agent has signed and seen, by role of its keys */
  constructor(
    state: TufState | undefined,
    lists: PublishedLists | undefined,
    guarded: ReadonlyMap<string, GuardedRole>,
  ) {
    for (const { keyRole, newest } of state?.roles.values() ?? [])
      this.note(keyRole, newest?.document.version ?? 0);
    this.note('snapshot', lists?.snapshot?.document.version ?? 0);
    this.note('timestamp', lists?.timestamp?.document.version ?? 0);
    for (const [role, { published, signed }] of guarded) {
      this.note(role, Math.max(published?.version ?? 0, signed?.version ?? 0));
    }
  }

  note(keyRole: string, version: number): void {
    this.#highest.set(keyRole, Math.max(version, this.#highest.get(keyRole) ?? 0));
  }

  next(keyRole: string): number {
    const version = (this.#highest.get(keyRole) ?? 0) + 1;
    this.#highest.set(keyRole, version);
    return version;
  }
}
