/** From a name to the one record it means: defaults first, then the only other match, else an error that helps. */
import { AgentError } from '../errors/agent-error.js';
import { closestNames } from './closest-names.js';
import { formatKeyName, keyNameOf, withDefaults, type KeyName } from './key-name.js';
import type { LeafRecord } from './key-record.js';

/**
 * The record a name means. Without an epoch that is the active one; with an epoch it may be retired or revoked.
 * @throws AgentError `key.unknown`, `key.ambiguous`, and, when only old epochs exist, `key.retired` or `key.revoked`.
 */
export function findLeaf(name: KeyName, leaves: readonly LeafRecord[]): LeafRecord {
  const written = leaves.filter((leaf) => matchesWhatIsWritten(name, leaf));
  if (written.length === 0) throw unknown(name, leaves);
  const live = name.epoch === undefined ? written.filter((leaf) => leaf.state === 'active') : written;
  const full = withDefaults(name);
  const exact = live.filter((leaf) => leaf.algorithm === full.algorithm && leaf.index === full.index);
  const [only, ...others] = exact.length > 0 ? exact : live;
  if (only === undefined) throw outdated(name, written);
  if (others.length > 0) throw ambiguous(name, [only, ...others]);
  return only;
}

/**
 * The record that a rotation starts from: like `findLeaf`, but the newest epoch when a revocation left none active.
 * @throws AgentError `key.unknown`, `key.ambiguous`
 */
export function findNewestLeaf(name: KeyName, leaves: readonly LeafRecord[]): LeafRecord {
  const written = leaves.filter((leaf) => matchesWhatIsWritten(name, leaf));
  if (written.length === 0 || written.some((leaf) => leaf.state === 'active')) return findLeaf(name, leaves);
  const full = withDefaults(name);
  const exact = written.filter((leaf) => leaf.algorithm === full.algorithm && leaf.index === full.index);
  const epochs = (exact.length > 0 ? exact : written).map((leaf) => leaf.epoch);
  return findLeaf({ ...name, epoch: Math.max(...epochs) }, leaves);
}

/**
 * Like `findLeaf`, for signing.
 * @throws AgentError also `key.retired` or `key.revoked` for a key named with its epoch.
 */
export function resolveLeaf(name: KeyName, leaves: readonly LeafRecord[]): LeafRecord {
  const leaf = findLeaf(name, leaves);
  requireActive(leaf);
  return leaf;
}

/** @throws AgentError `key.retired` or `key.revoked`. */
export function requireActive(leaf: LeafRecord): void {
  if (leaf.state === 'active') return;
  const name = keyNameOf(leaf);
  const reason = leaf.revokedReason === undefined ? '' : `: ${leaf.revokedReason}`;
  throw leaf.state === 'revoked'
    ? new AgentError('key.revoked', { message: `${name} is revoked${reason}`, details: { key: name } })
    : new AgentError('key.retired', { message: `${name} is retired`, details: { key: name } });
}

function matchesWhatIsWritten(name: KeyName, leaf: LeafRecord): boolean {
  return (
    leaf.repository === name.repository &&
    leaf.role === name.role &&
    (name.epoch === undefined || leaf.epoch === name.epoch) &&
    (name.algorithm === undefined || leaf.algorithm === name.algorithm) &&
    (name.index === undefined || leaf.index === name.index)
  );
}

function unknown(name: KeyName, leaves: readonly LeafRecord[]): AgentError {
  const wanted = formatKeyName(name);
  const close = closestNames(wanted, leaves.map(keyNameOf));
  return new AgentError('key.unknown', {
    message: `there is no key ${wanted}`,
    ...(close.length === 0 ? {} : { hint: `did you mean ${close.join(' or ')}? see "touchstone key list"` }),
    details: { key: wanted, closest: close },
  });
}

/** Only old epochs are left: the error of the newest one says why. */
function outdated(name: KeyName, written: readonly LeafRecord[]): AgentError {
  const newest = written.reduce((a, b) => (b.epoch > a.epoch ? b : a));
  const wanted = formatKeyName(name);
  return newest.state === 'revoked'
    ? new AgentError('key.revoked', {
        message: `${wanted} has no active epoch; the last one is revoked`,
        details: { key: wanted },
      })
    : new AgentError('key.retired', { message: `${wanted} has no active epoch`, details: { key: wanted } });
}

function ambiguous(name: KeyName, matches: readonly LeafRecord[]): AgentError {
  const names = matches.map(fullName);
  return new AgentError('key.ambiguous', {
    message: `${formatKeyName(name)} matches ${names.join(', ')}`,
    details: { matches: names },
  });
}

function fullName(leaf: LeafRecord): string {
  return `${leaf.repository}#${leaf.role}@${leaf.epoch}~${leaf.algorithm}:${leaf.index}`;
}
