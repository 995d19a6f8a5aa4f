/**
 * What a reader remembers of a repository between two reads: the root it believes, and of every role the version last seen. It is what an
 * attacker in front of a server would have to roll back.
 */

export interface SeenFile {
  readonly version: number;
  /** Of the canonical bytes that were signed, lower-case hex. */
  readonly sha256: string;
  /** TUF ids of the keys that the role had. A role with other keys begins anew. */
  readonly keyIds: readonly string[];
}

export interface SeenCollection {
  /** File of the root. */
  readonly root: Buffer;
  /** Why the first root was believed: `first-use` or the pin. */
  readonly anchor: string;
  readonly roles: ReadonlyMap<string, SeenFile>;
}

export interface TrustMemory {
  /** @throws AgentError `state.damaged`: forgetting silently would be a rollback */
  load(repository: string): SeenCollection | undefined;
  save(repository: string, seen: SeenCollection): void;
}

/** For the length of one read: fresh readers and audits. */
export class PassingMemory implements TrustMemory {
  readonly #seen = new Map<string, SeenCollection>();

  /** Undefined unless this object was told. */
  load(repository: string): SeenCollection | undefined {
    return this.#seen.get(repository);
  }

  /** Lasts as long as this object. */
  save(repository: string, seen: SeenCollection): void {
    this.#seen.set(repository, seen);
  }
}
