/** The four kinds of Notary v1 metadata, as data. Hashes are lower-case hex here and base64 on the wire. */
import type { NotaryKey } from './key.js';
import type { BaseRole } from './role-name.js';

export interface Hashes {
  readonly sha256: string;
  readonly sha512?: string | undefined;
}

interface Versioned {
  /** From 1 on. */
  readonly version: number;
  /** RFC 3339; a writer of ours gives whole seconds and Z. */
  readonly expires: string;
}

export interface RoleKeys {
  /** TUF key ids. */
  readonly keyids: readonly string[];
  readonly threshold: number;
}

export interface RootDocument extends Versioned {
  readonly type: 'root';
  readonly consistentSnapshot: boolean;
  readonly keys: ReadonlyMap<string, NotaryKey>;
  readonly roles: Readonly<Record<BaseRole, RoleKeys>>;
}

export interface Target {
  readonly hashes: Hashes;
  /** Bytes. */
  readonly length: number;
  /** Whatever the publisher added; kept as it is. */
  readonly custom?: unknown;
}

export interface DelegationRole extends RoleKeys {
  /** For example `targets/releases`. */
  readonly name: string;
  /** Prefixes of target names; the empty prefix is all of them. */
  readonly paths: readonly string[];
}

/** The top-level targets and every delegation. */
export interface TargetsDocument extends Versioned {
  readonly type: 'targets';
  readonly targets: ReadonlyMap<string, Target>;
  readonly delegations: {
    readonly keys: ReadonlyMap<string, NotaryKey>;
    readonly roles: readonly DelegationRole[];
  };
}

export interface FileMeta {
  readonly hashes: Hashes;
  /** Bytes. */
  readonly length: number;
}

export interface SnapshotDocument extends Versioned {
  readonly type: 'snapshot';
  /** Role names without `.json`. */
  readonly meta: ReadonlyMap<string, FileMeta>;
}

export interface TimestampDocument extends Versioned {
  readonly type: 'timestamp';
  readonly meta: ReadonlyMap<string, FileMeta>;
}

export type NotaryDocument = RootDocument | TargetsDocument | SnapshotDocument | TimestampDocument;

/** `_type` on the wire; lower case is refused by every reader. */
export const WIRE_TYPES = {
  root: 'Root',
  targets: 'Targets',
  snapshot: 'Snapshot',
  timestamp: 'Timestamp',
} as const satisfies Record<NotaryDocument['type'], string>;

/** An RFC 3339 time of whole seconds in UTC: the one form that survives being encoded again by Go. */
export function notaryTime(time: Date): string {
  return time.toISOString().replace(/\.\d{3}Z$/, 'Z');
}
