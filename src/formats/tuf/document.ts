/**
 * The four kinds of TUF 1.0 metadata, as data. `raw` is the JSON object as it was read; a writer takes from it the fields that are not
 * named here, so that what others added stays under their signatures. What is new has none, or an empty one.
 */
import type { JsonObject } from '../json-object.js';
import type { TufKey } from './key.js';

/** The roles that a root names keys for. */
export const TOP_ROLES = ['root', 'targets', 'snapshot', 'timestamp'] as const;

export type TopRole = (typeof TOP_ROLES)[number];

interface Raw {
  readonly raw?: JsonObject | undefined;
}

interface Versioned {
  /** `1.0` or `1.0.N`. */
  readonly specVersion: string;
  /** From 1 on. */
  readonly version: number;
  /** RFC 3339 as written; ours have whole seconds and Z. */
  readonly expires: string;
  readonly raw: JsonObject;
}

/** Lower-case hex by name of the algorithm, for example `sha256`. */
export type TufHashes = Readonly<Record<string, string>>;

export interface TufRoleKeys extends Raw {
  readonly keyids: readonly string[];
  /** From 1 on. */
  readonly threshold: number;
}

export interface TufRoot extends Versioned {
  readonly type: 'root';
  /** Undefined where the file leaves it out. */
  readonly consistentSnapshot: boolean | undefined;
  readonly keys: ReadonlyMap<string, TufKey>;
  readonly roles: Readonly<Record<TopRole, TufRoleKeys>>;
}

export interface TufTarget extends Raw {
  /** Bytes. */
  readonly length: number;
  readonly hashes: TufHashes;
  /** Whatever the publisher added; undefined where the file leaves it out. */
  readonly custom?: unknown;
}

/** A role that is delegated to: for path patterns, or for the first digits of the SHA-256 of a path. */
export interface TufDelegatedRole extends TufRoleKeys {
  readonly name: string;
  /** Undefined where the file leaves it out. */
  readonly terminating: boolean | undefined;
  readonly paths?: readonly string[] | undefined;
  /** Hex. */
  readonly pathHashPrefixes?: readonly string[] | undefined;
}

/** 2^bitLength roles named `PREFIX-HEX`, all with the same keys (TAP 15). */
export interface TufSuccinctRoles extends TufRoleKeys {
  /** 1 to 32. */
  readonly bitLength: number;
  readonly namePrefix: string;
}

/** Either `roles`, in the order in which clients ask them, or `succinctRoles`. */
export interface TufDelegations extends Raw {
  readonly keys: ReadonlyMap<string, TufKey>;
  readonly roles?: readonly TufDelegatedRole[] | undefined;
  readonly succinctRoles?: TufSuccinctRoles | undefined;
}

/** The top-level targets and every role that is delegated to. */
export interface TufTargets extends Versioned {
  readonly type: 'targets';
  readonly targets: ReadonlyMap<string, TufTarget>;
  readonly delegations?: TufDelegations | undefined;
}

export interface TufFileMeta extends Raw {
  readonly version: number;
  /** Bytes. */
  readonly length?: number | undefined;
  readonly hashes?: TufHashes | undefined;
}

export interface TufSnapshot extends Versioned {
  readonly type: 'snapshot';
  /** By unversioned file name, for example `targets.json`. */
  readonly meta: ReadonlyMap<string, TufFileMeta>;
}

export interface TufTimestamp extends Versioned {
  readonly type: 'timestamp';
  /** `snapshot.json` alone, in what others can read. */
  readonly meta: ReadonlyMap<string, TufFileMeta>;
}

export type TufDocument = TufRoot | TufTargets | TufSnapshot | TufTimestamp;

export type TufType = TufDocument['type'];

/** The document of one type. */
export type TufDocumentOf<K extends TufType> = Extract<TufDocument, { type: K }>;

export interface TufSignature extends Raw {
  readonly keyid: string;
  /** Hex; empty where somebody has still to sign. */
  readonly sig: string;
}

/** A metadata file. */
export interface TufEnvelope<T extends TufDocument = TufDocument> extends Raw {
  readonly signed: T;
  readonly signatures: readonly TufSignature[];
}

/** The version of the specification that every reference writer names. */
export const SPEC_VERSION = '1.0.31';
