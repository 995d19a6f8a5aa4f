/** Who signs metadata: keys by the role they are for, and signatures over whole documents. */
import type { NotaryKey } from '../formats/notary1/key.js';

export interface RoleKey {
  /** As its holder calls it, for example `registry.example/acme/app#targets`. */
  readonly name: string;
  /** The one role it signs for: `root`, `targets`, `targets/alice`. */
  readonly role: string;
  /** The bare key, without a certificate. */
  readonly key: NotaryKey;
  /** Canonical id of the bare key: equal for all certificates over it. */
  readonly canonicalId: string;
  /** Signs only after its token was unlocked. */
  readonly isLocked?: boolean | undefined;
}

export interface SigningOrder {
  /** Name of a `RoleKey`. */
  readonly key: string;
  /** For example `notary.targets`. */
  readonly kind: string;
  /** The exact bytes of that kind. */
  readonly payload: Buffer;
}

/** A document that readers can see now. */
export interface PublishedVersion {
  readonly role: string;
  readonly version: number;
  /** Hex, of the signed bytes. */
  readonly sha256: string;
}

export interface RoleSigner {
  /** Every key of the repository that can sign now. */
  keysOf(repository: string): Promise<readonly RoleKey[]>;
  /** The key of that name, derived if need be. */
  derive(name: string): Promise<RoleKey>;
  /** The next key in the place of this one, which then no longer signs. */
  rotate(name: string): Promise<RoleKey>;
  /** Canonical ids of what keys of that name were before. */
  retired(name: string): Promise<readonly string[]>;
  /** Signs all or none; in the order of the orders. Raw r||s for ECDSA. */
  sign(orders: readonly SigningOrder[]): Promise<readonly Buffer[]>;
  /** Highest version per role that was signed and that nobody has seen published. */
  versionsSigned(repository: string): Promise<ReadonlyMap<string, number>>;
  /** Forgets a version that was signed and that its server does not have, so that it may have another content. */
  abandon(repository: string, version: PublishedVersion): Promise<void>;
  /** Told after a publish was read back. */
  notePublished(repository: string, versions: readonly PublishedVersion[]): Promise<void>;
}
