/** Changes of the records: pure steps from one state to the next. Each makes the sequence grow by one. */
import { AgentError } from '../errors/agent-error.js';
import { keyNameOf } from './key-name.js';
import type { KeyringRecords, LeafRecord, TokenHome } from './key-record.js';
import { ROOT_ROLE } from './roles.js';

const MAX_EPOCH = 0xffff_ffff;

/**
 * The records of a keyring in which nothing has been derived yet.
 * @param anchorHash lower-case hex SHA-256 of the anchor's payload.
 */
export function emptyRecords(anchorHash: string): KeyringRecords {
  return { format: 'touchstone-keyring-records', version: 1, anchor: anchorHash, sequence: 0, leaves: [] };
}

/**
 * Records a newly derived leaf.
 * @throws AgentError `key.exists` when the name already has this epoch or another active one, or the key is recorded.
 */
export function addLeaf(records: KeyringRecords, leaf: LeafRecord): KeyringRecords {
  const taken = records.leaves.find(
    (known) =>
      (known.keyId === leaf.keyId && !areRootsOfTwo(known, leaf)) ||
      (isSameKey(known, leaf) && (known.epoch === leaf.epoch || known.state === 'active')),
  );
  if (taken !== undefined)
    throw new AgentError('key.exists', { message: `${keyNameOf(taken)} already exists` });
  return next(records, [...records.leaves, leaf]);
}

/** Epoch of the key that follows `leaf`: one more than any that the same name ever had. */
export function nextEpoch(records: KeyringRecords, leaf: LeafRecord): number {
  const epochs = records.leaves.filter((known) => isSameKey(known, leaf)).map((known) => known.epoch);
  const epoch = Math.max(leaf.epoch, ...epochs) + 1;
  if (epoch > MAX_EPOCH)
    throw new AgentError('key.field-invalid', { message: 'epoch: no further one is left' });
  return epoch;
}

/**
 * Rotation: the active leaf `keyId` retires at `at` and `successor` takes its name.
 * @throws AgentError `key.unknown`, `key.retired`, `key.revoked`, `key.exists`; `key.mismatch` when it is not the next epoch.
 */
export function retireAndAdd(
  records: KeyringRecords,
  keyId: string,
  successor: LeafRecord,
  at: string,
): KeyringRecords {
  const old = leafById(records, keyId, successor);
  if (old.state === 'revoked') throw new AgentError('key.revoked');
  if (old.state === 'retired') throw new AgentError('key.retired');
  if (!isSameKey(old, successor) || successor.epoch !== nextEpoch(records, old)) {
    throw new AgentError('key.mismatch', { message: 'rotating a key: the new key is not its next epoch' });
  }
  const retired: LeafRecord = { ...old, state: 'retired', retiredAt: at };
  const leaves = records.leaves.map((known) => (known === old ? retired : known));
  return { ...addLeaf({ ...records, leaves }, successor), sequence: records.sequence + 1 };
}

/** Why and when a key was revoked. */
export interface Revocation {
  /** 1 to 256 characters. */
  readonly reason: string;
  /** RFC 3339, whole seconds, Z. */
  readonly at: string;
}

/**
 * Marks an active or retired leaf as revoked for good.
 * @throws AgentError `key.unknown`; `key.revoked` when it already is.
 */
export function revokeLeaf(records: KeyringRecords, keyId: string, revocation: Revocation): KeyringRecords {
  const old = leafById(records, keyId);
  if (old.state === 'revoked')
    throw new AgentError('key.revoked', { message: `${keyNameOf(old)} is already revoked` });
  const { at, reason } = revocation;
  return next(
    records,
    replace(records, keyId, (leaf) => ({ ...leaf, state: 'revoked', revokedAt: at, revokedReason: reason })),
  );
}

/**
 * Records that a second token holds the leaf; a home with the same token and id is replaced.
 * @throws AgentError `key.unknown`.
 */
export function addHome(records: KeyringRecords, keyId: string, home: TokenHome): KeyringRecords {
  const old = leafById(records, keyId);
  const others = old.homes.filter((known) => known.token !== home.token || known.id !== home.id);
  return next(
    records,
    replace(records, keyId, (leaf) => ({ ...leaf, homes: [...others, home] })),
  );
}

/** @param like where a key is the root of several repositories: which of them is meant */
function leafById(records: KeyringRecords, keyId: string, like?: LeafRecord): LeafRecord {
  const all = records.leaves.filter((known) => known.keyId === keyId);
  const leaf = all.find((known) => like !== undefined && isSameKey(known, like)) ?? all[0];
  if (leaf === undefined) throw new AgentError('key.unknown');
  return leaf;
}

/** What becomes of a key becomes of it in every repository. */
function replace(
  records: KeyringRecords,
  keyId: string,
  change: (leaf: LeafRecord) => LeafRecord,
): readonly LeafRecord[] {
  return records.leaves.map((known) => (known.keyId === keyId ? change(known) : known));
}

function next(records: KeyringRecords, leaves: readonly LeafRecord[]): KeyringRecords {
  const version = leaves.some(({ origin }) => origin !== undefined) ? 2 : records.version;
  return { ...records, version, sequence: records.sequence + 1, leaves };
}

/** A holder's key on a token may be the root of any number of repositories; every other key is of one. */
export function areRootsOfTwo(a: LeafRecord, b: LeafRecord): boolean {
  const isRoot = ({ role, origin }: LeafRecord): boolean => role === ROOT_ROLE && origin === 'token';
  return isRoot(a) && isRoot(b) && a.repository !== b.repository;
}

function isSameKey(a: LeafRecord, b: LeafRecord): boolean {
  return (
    a.repository === b.repository && a.role === b.role && a.algorithm === b.algorithm && a.index === b.index
  );
}
