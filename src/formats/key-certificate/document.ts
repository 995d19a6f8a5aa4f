/**
 * Certificates of repository keys: which key is the one of a repository in a role, for which kinds and how long. A threshold of root
 * keys signs them as DSSE; a revocation is the same document with another action. Reference: docs/spec/key-certificate.md.
 */
import { isKeyAlgorithm, type KeyAlgorithm } from '../../crypto/algorithms.js';
import { keyIdOf } from '../../crypto/key-id.js';
import { rawFromSpki } from '../../crypto/public-key.js';
import { decodeBase64 } from '../../encoding/base64.js';
import { canonicalJson } from '../../encoding/canonical-json.js';
import { parseJsonStrict } from '../../encoding/json.js';
import { AgentError } from '../../errors/agent-error.js';
import { isJsonObject } from '../json-object.js';

/** DSSE payload type. */
export const KEY_CERTIFICATE_TYPE = 'application/vnd.touchstone.key-certificate+json';

export type CertificateAction = 'certify' | 'revoke';

export interface KeyCertificate {
  readonly action: CertificateAction;
  readonly repository: string;
  readonly role: string;
  /** Lower-case hex SHA-256 of `publicKey`. */
  readonly keyId: string;
  /** DER SubjectPublicKeyInfo, base64. */
  readonly publicKey: string;
  readonly algorithm: KeyAlgorithm;
  readonly epoch: number;
  /** Globs of the kinds that the key may sign; its role limits them further. Empty in a revocation. */
  readonly kinds: readonly string[];
  /** RFC 3339, whole seconds, Z. A revocation holds whatever its dates are. */
  readonly notBefore: string;
  readonly notAfter: string;
  /** Lower-case hex SHA-256 of the payload of the statement before about the same key; null in the first. */
  readonly previous: string | null;
}

const FORMAT = 'touchstone-key-certificate';
const WHAT = 'reading a key certificate';
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const HASH = /^[0-9a-f]{64}$/;
const KIND = /^[\x21-\x7e]{1,255}$/;
const NAME = /^[\x21-\x7e]+$/;
const MAX_REPOSITORY = 255;
const MAX_ROLE = 64;
const MAX_KINDS = 16;
const MAX_EPOCH = 0xffff_ffff;

/**
 * The bytes of a certificate: canonical JSON, so that a certificate has one payload and one hash.
 * @throws AgentError `certificate.invalid` naming the field
 */
export function keyCertificatePayload(certificate: KeyCertificate): Buffer {
  const checked = certificateOf({ ...certificate, format: FORMAT, version: 1 });
  const text = canonicalJson({ ...checked, format: FORMAT, version: 1 }, WHAT, 'certificate.invalid');
  return Buffer.from(text, 'utf8');
}

/**
 * Reads a payload; only the one spelling that `keyCertificatePayload` writes is taken.
 * @throws AgentError `certificate.invalid` naming the field
 */
export function parseKeyCertificate(payload: Buffer): KeyCertificate {
  const certificate = certificateOf(parseJsonStrict(payload, WHAT, 'certificate.invalid'));
  if (!keyCertificatePayload(certificate).equals(payload)) throw invalid('it is not in canonical form');
  return certificate;
}

function certificateOf(value: unknown): KeyCertificate {
  if (!isJsonObject(value)) throw invalid('not an object');
  const { format, version, action, epoch, algorithm, previous, ...rest } = value;
  if (format !== FORMAT || version !== 1) throw invalid(`format: not version 1 of ${FORMAT}`);
  if (action !== 'certify' && action !== 'revoke') throw invalid('action: not certify or revoke');
  if (typeof epoch !== 'number' || !Number.isInteger(epoch) || epoch < 1 || epoch > MAX_EPOCH)
    throw invalid('epoch: not a number of an epoch');
  if (typeof algorithm !== 'string' || !isKeyAlgorithm(algorithm))
    throw invalid('algorithm: not one of this release');
  if (previous !== null && (typeof previous !== 'string' || !HASH.test(previous)))
    throw invalid('previous: not a SHA-256 in hex, nor null');
  const notBefore = time(rest['notBefore'], 'notBefore');
  const notAfter = time(rest['notAfter'], 'notAfter');
  if (notBefore >= notAfter) throw invalid('notAfter: not after notBefore');
  return {
    action,
    repository: name(rest['repository'], 'repository', MAX_REPOSITORY),
    role: name(rest['role'], 'role', MAX_ROLE),
    ...keyOf(rest, algorithm),
    epoch,
    kinds: kindsOf(rest['kinds'], action),
    notBefore,
    notAfter,
    previous,
  };
}

function keyOf(
  value: Readonly<Record<string, unknown>>,
  algorithm: KeyAlgorithm,
): Pick<KeyCertificate, 'keyId' | 'publicKey' | 'algorithm'> {
  const { keyId, publicKey } = value;
  if (typeof publicKey !== 'string') throw invalid('publicKey: not text');
  const spki = decodeBase64(publicKey, `${WHAT}: publicKey`, 'certificate.invalid');
  if (algorithmOf(spki) !== algorithm) throw invalid('publicKey: not a key of the algorithm that is named');
  if (keyId !== keyIdOf(spki)) throw invalid('keyId: not the id of the public key');
  return { keyId, publicKey, algorithm };
}

function algorithmOf(spki: Buffer): KeyAlgorithm | undefined {
  try {
    return rawFromSpki(spki).algorithm;
  } catch {
    return undefined;
  }
}

function kindsOf(value: unknown, action: CertificateAction): readonly string[] {
  if (!Array.isArray(value) || value.length > MAX_KINDS) throw invalid('kinds: not a list of kinds');
  if ((value.length === 0) !== (action === 'revoke'))
    throw invalid('kinds: a certificate names some, a revocation none');
  return value.map((kind: unknown) => {
    if (typeof kind === 'string' && KIND.test(kind)) return kind;
    throw invalid('kinds: not a list of kinds');
  });
}

function name(value: unknown, field: string, max: number): string {
  if (typeof value === 'string' && value.length <= max && NAME.test(value)) return value;
  throw invalid(`${field}: not a name of at most ${max} characters`);
}

function time(value: unknown, field: string): string {
  if (typeof value === 'string' && TIME.test(value) && isCalendarTime(value)) return value;
  throw invalid(`${field}: not a time like 2027-01-31T00:00:00Z`);
}

/** JavaScript takes the 31st of February for a day in March. */
function isCalendarTime(text: string): boolean {
  const parsed = new Date(text);
  return !Number.isNaN(parsed.getTime()) && parsed.toISOString().replace('.000Z', 'Z') === text;
}

function invalid(problem: string): AgentError {
  return new AgentError('certificate.invalid', { message: `${WHAT}: ${problem}` });
}
