/**
 * One line of the audit log: JSON, keys in the order below, no line breaks inside. Each line carries the SHA-256 of the
 * line before it (bytes without the line feed), so a change anywhere breaks every later link.
 */

/** Who asked, from the kernel. `exe` is a label: information, never a reason to allow. */
export interface AuditPeer {
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
  readonly exe?: string | undefined;
}

interface Line {
  /** Grows by one with each line, over all files; the first is 1. */
  readonly seq: number;
  /** RFC 3339, whole seconds, Z. */
  readonly time: string;
  /** Hex SHA-256 of the previous line; 64 zeros before the first. */
  readonly prev: string;
}

/** What the guard knows of a document that was signed. */
export interface AuditDocument {
  readonly version: number;
  readonly expires: string;
  /** Hex SHA-256 of the signed bytes. */
  readonly sha256: string;
  /** Hash of another content of this version that was signed before, and that the server is said not to have stored. */
  readonly notStored?: string | undefined;
  /** How many targets differ from the document before, and the first of them; `no base` when that is not known. */
  readonly changed?: number | undefined;
  readonly changes?: readonly string[] | undefined;
}

/** A signature that was released. */
export interface SignLine extends Line {
  readonly type: 'sign';
  /** First sequence of the batch it belongs to; left out for a single request. */
  readonly group?: number | undefined;
  readonly peer: AuditPeer;
  readonly key: string;
  readonly keyId: string;
  readonly kind: string;
  readonly rule: string;
  readonly blind?: true | undefined;
  readonly summary: readonly string[];
  /** Only of versioned metadata. */
  readonly document?: AuditDocument | undefined;
  /** Where the agent requires one: hex SHA-256 of the payload of the certificate of the key. */
  readonly certificate?: string | undefined;
  /** Hex SHA-256 of the signed bytes. */
  readonly hash: string;
  /** The keeper's order number. */
  readonly order: number;
}

/** A request that was refused, and why. */
export interface RefuseLine extends Line {
  readonly type: 'refuse';
  readonly peer: AuditPeer;
  readonly key: string;
  readonly kind: string;
  readonly code: string;
  readonly rule?: string | undefined;
  readonly message: string;
}

/** The front started; orders from here on are numbered by the keeper `instance` (hex, 16 bytes). */
export interface StartLine extends Line {
  readonly type: 'start';
  readonly instance: string;
  /** The keeper's count and hash when this front took over (0 and the instance's first hash for a new keeper). */
  readonly orders: number;
  readonly ordersHash: string;
  readonly agent: string;
}

/** Signed by the keeper, but the front died before the reply: the signature was never released. */
export interface UnreleasedLine extends Line {
  readonly type: 'unreleased';
  readonly keyId: string;
  readonly hash: string;
  readonly order: number;
}

/** An act on keys or leases: unlock, lock, derive, rotate, revoke, install, setup, policy. */
export interface ActLine extends Line {
  readonly type: 'act';
  readonly act: string;
  readonly peer?: AuditPeer | undefined;
  readonly facts: Readonly<Record<string, string | number>>;
}

/** Sealed state of the log; `dsse` is a DSSE envelope by the leaf touchstone/agent#audit. */
export interface CheckpointLine extends Line {
  readonly type: 'checkpoint';
  /** The keeper's order number of this very signature. */
  readonly order: number;
  readonly dsse: {
    readonly payloadType: string;
    readonly payload: string;
    readonly signatures: readonly { readonly keyid: string; readonly sig: string }[];
  };
}

/** First line of a file after rotation: `prev` is the head of the file before. */
export interface ContinueLine extends Line {
  readonly type: 'continue';
  readonly file: string;
}

export type AuditLine =
  SignLine | RefuseLine | StartLine | UnreleasedLine | ActLine | CheckpointLine | ContinueLine;

/** Payload of a checkpoint, media type CHECKPOINT_TYPE. */
export interface Checkpoint {
  readonly format: 'touchstone-audit-checkpoint';
  readonly version: 1;
  /**
   * Sequence and hash of a line before the checkpoint: everything up to it is sealed. Under load lines come in while the
   * checkpoint is being signed, so it need not be the line right before.
   */
  readonly seq: number;
  readonly head: string;
  readonly time: string;
  /** Keeper instance, its order count and running hash as of that line. */
  readonly instance: string;
  readonly orders: number;
  readonly ordersHash: string;
}

export const CHECKPOINT_TYPE = 'application/vnd.touchstone.audit-checkpoint+json';
