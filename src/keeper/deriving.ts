/**
 * Leaves out of the derivation token: one PRF evaluation each, expanded inside native code, compared with the record. The PRF
 * value is overwritten here and never becomes anything else.
 */
import { keyIdOf } from '../crypto/key-id.js';
import { derivedAlgorithm, encodeContext, peerPoint, saltFor } from '../crypto/derive.js';
import { Leaf } from '../crypto/leaf.js';
import { AgentError } from '../errors/agent-error.js';
import type { DerivationRecord, LeafRecord } from '../keys/key-record.js';
import type { TokenUnit } from './token-unit.js';
import type { DeriveFields } from './wire.js';

/** Time for one PRF evaluation; an OTP slot waits 15 s for a touch. Milliseconds. */
const PRF_DEADLINE_MS = 20_000;

export interface DerivedLeaf {
  readonly leaf: Leaf;
  /** DER SubjectPublicKeyInfo. */
  readonly spki: Buffer;
  readonly keyId: string;
}

/** @throws AgentError `key.field-invalid`, what the token reports, `lease.secure-heap` */
export async function deriveLeaf(
  unit: TokenUnit,
  derivation: DerivationRecord,
  domain: string,
  fields: DeriveFields,
): Promise<DerivedLeaf> {
  const { repository, role, algorithm, epoch, index } = fields;
  const context = encodeContext({ domain, repository, role, algorithm, epoch, index });
  const input = derivation.backend === 'ec' ? peerPoint(context) : Buffer.from(context);
  const { raw } = await unit.call(
    'evaluatePrf',
    { id: derivation.home.id, label: derivation.home.label, backend: derivation.backend },
    PRF_DEADLINE_MS,
    input,
  );
  try {
    const leaf = Leaf.derive({ algorithm, salt: saltFor(derivation.backend), prf: raw, context });
    const spki = leaf.publicKeySpki();
    return { leaf, spki, keyId: keyIdOf(spki) };
  } finally {
    raw.fill(0);
  }
}

/**
 * Derives a leaf that the keyring already knows.
 * @throws AgentError `key.mismatch` with the likely causes; the wrong leaf is wiped
 */
export async function deriveRecorded(
  unit: TokenUnit,
  derivation: DerivationRecord,
  domain: string,
  record: LeafRecord,
): Promise<Leaf> {
  const fields = { ...record, algorithm: derivedAlgorithm(record.algorithm) };
  const derived = await deriveLeaf(unit, derivation, domain, fields);
  if (derived.keyId === record.keyId) return derived.leaf;
  derived.leaf.wipe();
  throw new AgentError('key.mismatch', {
    message: `the key derived for ${record.repository}#${record.role} is not the recorded one`,
    hint: 'likely another token, another derivation key, or a keyring from elsewhere; compare "touchstone token show" with "touchstone key show"',
    details: { key: `${record.repository}#${record.role}`, epoch: record.epoch, token: unit.config.name },
  });
}
