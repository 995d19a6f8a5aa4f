/** Who signs the metadata of a repository: keys by the role they are for, and what their guard has seen. */

export interface HeldKey {
  /** For example `acme.example/updates#targets`. */
  readonly name: string;
  /** `root`, `targets`, `targets/team-a`. */
  readonly role: string;
  /** DER SubjectPublicKeyInfo. */
  readonly spki: Buffer;
}

export interface TufOrder {
  readonly key: HeldKey;
  /** For example `tuf.targets`. */
  readonly kind: string;
  /** Canonical bytes. */
  readonly payload: Buffer;
}

/** A version of a role, by the hash of what is signed. */
export interface SeenVersion {
  readonly version: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

/** What the guard knows of one role of keys. */
export interface GuardedRole {
  readonly published: SeenVersion | undefined;
  /** The newest content of the version above it. */
  readonly signed: SeenVersion | undefined;
}

export interface TufSigner {
  /** Every active key of the repository that can sign metadata. */
  keysOf(repository: string): Promise<readonly HeldKey[]>;
  /** The key of that name, derived if need be. */
  derive(name: string): Promise<HeldKey>;
  /** The key of that name. @throws AgentError `key.unknown` */
  show(name: string): Promise<HeldKey>;
  /** Hex signatures as TUF writes them, in the order of the orders. */
  sign(orders: readonly TufOrder[]): Promise<readonly string[]>;
  guarded(repository: string): Promise<ReadonlyMap<string, GuardedRole>>;
  /** A reader has seen this version. */
  notePublished(repository: string, role: string, seen: SeenVersion): Promise<void>;
}
