/** What a schema cannot say of a keyring: ids that belong to their keys, names that mean one key, fields that can be derived. */
import type { KeyAlgorithm } from '../crypto/algorithms.js';
import { checkDeriveText, derivedAlgorithm } from '../crypto/derive.js';
import { keyIdOf } from '../crypto/key-id.js';
import { importPublicKey, rawFromSpki } from '../crypto/public-key.js';
import { decodeBase64 } from '../encoding/base64.js';
import { AgentError } from '../errors/agent-error.js';
import type { KeyringAnchor, KeyringRecords, LeafRecord } from './key-record.js';
import { parseKeyUri } from './key-uri.js';
import { areRootsOfTwo } from './keyring-change.js';
import { isOtpTokenUri } from './otp-uri.js';
import { isAgentRole, kindsOfRole, ROOT_ROLE } from './roles.js';

const AUDIT_REPOSITORY = 'touchstone/agent';
const AUDIT_ROLE = 'audit';

interface PublicHalf {
  readonly keyId: string;
  readonly algorithm: KeyAlgorithm;
  readonly publicKey: string;
}

/** @throws AgentError `state.damaged`, naming the record and field. */
export function checkAnchor(anchor: KeyringAnchor): void {
  const { root, derivation, audit } = anchor;
  checking('keyring anchor: domain', () => checkDeriveText('domain', anchor.domain));
  checking('keyring anchor: root', () => {
    checkPublicHalf(root);
    parseKeyUri(root.home.token);
  });
  checking('keyring anchor: derivation', () => {
    const { publicKey, keyId, check } = derivation;
    const isOtp = derivation.backend === 'otp';
    if (isOtpTokenUri(derivation.home.token) !== isOtp) throw broken('the home is not one of its backend');
    if (!isOtp) parseKeyUri(derivation.home.token);
    if ((check !== undefined) !== isOtp) throw broken('check belongs to backend otp');
    const isCard = root.card !== undefined || derivation.card !== undefined;
    if (anchor.version !== anchorVersion({ isOtp, isCard }))
      throw broken('its version is not the one that its records ask for');
    const isPublic = publicKey !== undefined && keyId !== undefined;
    if (isPublic !== (derivation.backend === 'ec')) throw broken('publicKey and keyId belong to backend ec');
    if (isPublic) checkPublicHalf({ publicKey, keyId, algorithm: 'ecdsa-p256' });
    // One key that both signs and derives would give away its derived secrets' separation.
    if (keyId === root.keyId) throw broken('it is the root key');
  });
  checking('keyring anchor: audit', () => {
    checkLeaf(audit);
    if (audit.repository !== AUDIT_REPOSITORY || audit.role !== AUDIT_ROLE)
      throw broken('it is not the audit leaf');
    if (audit.state !== 'active') throw broken('it is not active');
  });
}

/** The lowest version that has the fields. */
export function anchorVersion({
  isOtp,
  isCard,
}: {
  isOtp: boolean;
  isCard: boolean;
}): KeyringAnchor['version'] {
  if (isCard) return 3;
  return isOtp ? 2 : 1;
}

/** @throws AgentError `state.damaged`, naming the record and field. */
export function checkRecords(anchor: KeyringAnchor, records: KeyringRecords): void {
  const ids = new Set([anchor.root.keyId, anchor.audit.keyId, anchor.derivation.keyId]);
  const roots = new Map<string, LeafRecord>();
  const names = new Set<string>();
  for (const [position, leaf] of records.leaves.entries()) {
    checking(`keyring records: leaves.${position}`, () => {
      checkLeaf(leaf);
      kindsOfRole(leaf.role);
      if (leaf.origin !== undefined && records.version === 1) throw broken('origin is not of version 1');
      if (isAgentRole(leaf.role)) throw broken('its role is for the agent itself');
      // Index 0 is the name of the keyring's own root.
      if (leaf.role === ROOT_ROLE && (leaf.origin === undefined || leaf.index === 0))
        throw broken('the root of a repository is made on a token, with index 1 or more');
      const known = roots.get(leaf.keyId);
      if (known === undefined ? ids.has(leaf.keyId) : !areRootsOfTwo(known, leaf))
        throw broken('its key stands twice');
      ids.add(leaf.keyId);
      if (leaf.role === ROOT_ROLE) roots.set(leaf.keyId, leaf);
      for (const name of claimedNames(leaf)) {
        if (names.has(name)) throw broken('its name stands twice');
        names.add(name);
      }
    });
  }
}

/** A name with its epoch belongs to one leaf ever; the name without it to at most one active leaf. */
function claimedNames(leaf: LeafRecord): readonly string[] {
  const { repository, role, algorithm, index, epoch, state } = leaf;
  const plain = JSON.stringify([repository, role, algorithm, index]);
  return state === 'active' ? [plain, `${plain}@${epoch}`] : [`${plain}@${epoch}`];
}

function checkLeaf(leaf: LeafRecord): void {
  checkPublicHalf(leaf);
  checkDeriveText('repository', leaf.repository);
  checkDeriveText('role', leaf.role);
  for (const home of leaf.homes) parseKeyUri(home.token);
  if (leaf.origin === undefined) derivedAlgorithm(leaf.algorithm);
  else if (leaf.homes.length === 0) throw broken('a key that was made on a token has no home');
  const { state, retiredAt, revokedAt, revokedReason } = leaf;
  if (state === 'retired' && retiredAt === undefined) throw broken('retiredAt is missing');
  if (state === 'active' && retiredAt !== undefined) throw broken('an active key has retiredAt');
  const isRevoked = revokedAt !== undefined && revokedReason !== undefined;
  const isHalfRevoked = !isRevoked && (revokedAt !== undefined || revokedReason !== undefined);
  if (isRevoked !== (state === 'revoked') || isHalfRevoked)
    throw broken('revokedAt and revokedReason do not fit its state');
}

function checkPublicHalf({ keyId, algorithm, publicKey }: PublicHalf): void {
  const spki = decodeBase64(publicKey, 'publicKey');
  if (rawFromSpki(spki).algorithm !== algorithm) throw broken('publicKey is of another algorithm');
  importPublicKey(spki);
  if (keyIdOf(spki) !== keyId) throw broken('keyId is not that of publicKey');
}

function checking(what: string, check: () => unknown): void {
  try {
    check();
  } catch (cause) {
    if (!(cause instanceof AgentError)) throw cause;
    throw new AgentError('state.damaged', { message: `${what}: ${cause.message}`, cause });
  }
}

function broken(problem: string): AgentError {
  return new AgentError('state.damaged', { message: problem });
}
