/** Keys that sign and do nothing else: pairs made on the token, or P-256 leaves imported into it. */
import { createHash, randomBytes } from 'node:crypto';
import type { Handle } from 'pkcs11js';
import type { KeyAlgorithm } from '../../crypto/algorithms.js';
import { AgentError } from '../../errors/agent-error.js';
import { spkiFromRaw } from '../../crypto/public-key.js';
import { verifySignature } from '../../crypto/verify.js';
import type { KeyReference, SignMechanism, TokenKey } from '../token.js';
import { CKK_EC, CKO_PRIVATE_KEY, CKO_PUBLIC_KEY } from './cryptoki.js';
import { KEPT_ON_TOKEN, P256_PARAMS, requireFlags } from './key-attributes.js';
import { cryptokiMechanism, KEY_TYPES } from './key-types.js';
import { destroyObject, findKeyObject, nameAttributes, readFlag, requireFreeName } from './objects.js';
import { encodePoint, readPublicHalf } from './public-half.js';
import { driverCall } from './rv.js';
import type { Pkcs11Session } from './session.js';
import { buildTemplate, type AttributeValues } from './template.js';

const SIGNATURE_BYTES = 64;
/** Room for any answer: CKR_BUFFER_TOO_SMALL would leave the operation half done. */
const ANSWER_BYTES = 512;

/** Algorithm of leaves that can be moved to a token. */
const IMPORTED = 'ecdsa-p256';

/** @throws AgentError `token.object-exists`, `key.usage` when the token did not keep to the template */
export function generateSigningKey(
  session: Pkcs11Session,
  key: KeyReference,
  algorithm: KeyAlgorithm,
): TokenKey {
  requireFreeName(session, key);
  const name = nameAttributes(key);
  const { generate, publicTemplate, signsOnly } = KEY_TYPES[algorithm];
  const pair = driverCall('C_GenerateKeyPair', () =>
    session.calls.C_GenerateKeyPair(
      session.handle(),
      { mechanism: generate },
      buildTemplate({
        ...name,
        CKA_TOKEN: true,
        CKA_PRIVATE: false,
        CKA_VERIFY: true,
        ...publicTemplate,
      }),
      buildTemplate({ ...name, CKA_TOKEN: true, CKA_PRIVATE: true, ...KEPT_ON_TOKEN, ...signsOnly }),
    ),
  );
  return keepOnlyIf(session, [pair.privateKey, pair.publicKey], () => {
    requireSigningKey(session, pair.privateKey, key, algorithm);
    return readPublicHalf(session, key, algorithm);
  });
}

/**
 * Stores a scalar (32 bytes) and its public point (65 bytes); a signature proves that they belong together.
 * @throws AgentError `token.object-exists`, `token.bad-signature` when they do not
 */
export function importSigningKey(
  session: Pkcs11Session,
  key: KeyReference,
  scalar: Uint8Array,
  point: Uint8Array,
): TokenKey {
  requireFreeName(session, key);
  const spki = spkiFromRaw('ecdsa-p256', point);
  const shared = {
    ...nameAttributes(key),
    CKA_KEY_TYPE: CKK_EC,
    CKA_TOKEN: true,
    CKA_EC_PARAMS: P256_PARAMS,
  };
  const value = Buffer.from(scalar.buffer, scalar.byteOffset, scalar.byteLength);
  const made = [
    createObject(session, {
      ...shared,
      CKA_CLASS: CKO_PRIVATE_KEY,
      CKA_PRIVATE: true,
      ...KEPT_ON_TOKEN,
      ...KEY_TYPES[IMPORTED].signsOnly,
      CKA_VALUE: value,
    }),
  ];
  return keepOnlyIf(session, made, () => {
    const EC_POINT = encodePoint(point);
    made.push(
      createObject(session, {
        ...shared,
        CKA_CLASS: CKO_PUBLIC_KEY,
        CKA_PRIVATE: false,
        CKA_VERIFY: true,
        CKA_EC_POINT: EC_POINT,
      }),
    );
    const handle = findSigningKey(session, key, IMPORTED);
    proveKey(session, handle, key, spki);
    return readPublicHalf(session, key, IMPORTED);
  });
}

/** Handle of the private key, its attributes checked. @throws AgentError `token.key-missing`, `key.usage` */
export function findSigningKey(session: Pkcs11Session, key: KeyReference, algorithm: KeyAlgorithm): Handle {
  const { keyType } = KEY_TYPES[algorithm];
  const object = findKeyObject(session, key, { CKA_CLASS: CKO_PRIVATE_KEY, CKA_KEY_TYPE: keyType });
  requireSigningKey(session, object, key, algorithm);
  return object;
}

/** CKM_ECDSA over a digest with a P-256 key: r||s. On failure the session may hold half an operation; the caller replaces it. */
export function signDigest(session: Pkcs11Session, handle: Handle, digest: Buffer): Buffer {
  const signature = signData(session, handle, 'ecdsa', digest);
  if (signature.length === SIGNATURE_BYTES) return signature;
  throw new AgentError('token.bad-signature', {
    message: `C_Sign: the token returned ${signature.length} bytes instead of ${SIGNATURE_BYTES}`,
  });
}

/** What the mechanism makes of the data; the keeper verifies it. Failures as with `signDigest`. */
export function signData(
  session: Pkcs11Session,
  handle: Handle,
  mechanism: SignMechanism,
  data: Buffer,
): Buffer {
  driverCall('C_SignInit', () => {
    session.calls.C_SignInit(session.handle(), cryptokiMechanism(mechanism), handle);
  });
  return driverCall('C_Sign', () => session.calls.C_Sign(session.handle(), data, Buffer.alloc(ANSWER_BYTES)));
}

function requireSigningKey(
  session: Pkcs11Session,
  object: Handle,
  key: KeyReference,
  algorithm: KeyAlgorithm,
): void {
  requireFlags(session, object, key, 'sign', KEY_TYPES[algorithm].signsOnly);
  if (readFlag(session, object, 'CKA_ALWAYS_AUTHENTICATE') !== true) return;
  // No process keeps a PIN after login, so nobody could answer.
  throw new AgentError('token.unsupported', {
    message: `key "${key.label}": the token asks for the PIN at each signature`,
    details: { label: key.label, id: key.id, attribute: 'CKA_ALWAYS_AUTHENTICATE' },
  });
}

function createObject(session: Pkcs11Session, values: AttributeValues): Handle {
  return driverCall('C_CreateObject', () =>
    session.calls.C_CreateObject(session.handle(), buildTemplate(values)),
  );
}

function proveKey(session: Pkcs11Session, handle: Handle, key: KeyReference, spki: Buffer): void {
  const message = randomBytes(32);
  const digest = createHash('sha256').update(message).digest();
  if (verifySignature(spki, 'ecdsa-p256', message, signDigest(session, handle, digest))) return;
  throw new AgentError('token.bad-signature', {
    message: `key "${key.label}": the imported scalar does not belong to the public point`,
  });
}

/** Takes half-made keys off the token again when they are not what was asked for. */
function keepOnlyIf<T>(session: Pkcs11Session, made: readonly Handle[], check: () => T): T {
  try {
    return check();
  } catch (error) {
    session.invalidate();
    for (const object of made) destroyObject(session, object);
    throw error;
  }
}
