/**
 * Keys that derive and do nothing else (docs/spec/derivation.md, step 1): a P-256 key for ECDH or a generic secret for HMAC.
 * Signing with such a key, or ECDH with a signing key, would give away more than one leaf, so both are refused here.
 */
import type { Handle } from 'pkcs11js';
import { AgentError } from '../../errors/agent-error.js';
import type { ObjectBackend } from '../../keys/key-record.js';
import { PRF_BYTES, type KeyReference, type TokenKey } from '../token.js';
import {
  CK_PARAMS_EC_DH,
  CKD_NULL,
  CKK_EC,
  CKK_GENERIC_SECRET,
  CKM_EC_KEY_PAIR_GEN,
  CKM_ECDH1_DERIVE,
  CKM_GENERIC_SECRET_KEY_GEN,
  CKM_SHA256_HMAC,
  CKO_PRIVATE_KEY,
  CKO_SECRET_KEY,
} from './cryptoki.js';
import { KEPT_ON_TOKEN, P256_PARAMS, requireFlags, type RequiredFlags } from './key-attributes.js';
import { destroyObject, findKeyObject, nameAttributes, readAttribute, requireFreeName } from './objects.js';
import { readPublicHalf } from './public-half.js';
import { driverCall } from './rv.js';
import type { Pkcs11Session } from './session.js';
import { buildTemplate, type AttributeValues } from './template.js';

/** CKA_SIGN of a generic secret means HMAC. */
const ALLOWED: Readonly<Record<ObjectBackend, RequiredFlags>> = {
  ec: { CKA_DERIVE: true, CKA_SIGN: false },
  hmac: { CKA_SIGN: true, CKA_DERIVE: false },
};

const OBJECT: Readonly<Record<ObjectBackend, AttributeValues>> = {
  ec: { CKA_CLASS: CKO_PRIVATE_KEY, CKA_KEY_TYPE: CKK_EC },
  hmac: { CKA_CLASS: CKO_SECRET_KEY, CKA_KEY_TYPE: CKK_GENERIC_SECRET },
};

/** Room for any answer: CKR_BUFFER_TOO_SMALL would leave the operation half done. */
const ANSWER_BYTES = 256;

/** @throws AgentError `token.object-exists`, `key.usage` when the token did not keep to the template */
export function generateDerivationKey(
  session: Pkcs11Session,
  key: KeyReference,
  backend: ObjectBackend,
): TokenKey {
  requireFreeName(session, key);
  const made = backend === 'ec' ? generatePair(session, key) : generateSecret(session, key);
  try {
    findDerivationKey(session, key, backend);
    return describeDerivationKey(session, key, backend);
  } catch (error) {
    for (const object of made) destroyObject(session, object);
    throw error;
  }
}

/** Handle of the key, its attributes checked. @throws AgentError `token.key-missing`, `key.usage` */
export function findDerivationKey(session: Pkcs11Session, key: KeyReference, backend: ObjectBackend): Handle {
  const object = findKeyObject(session, key, OBJECT[backend]);
  requireFlags(session, object, key, 'derive', ALLOWED[backend]);
  return object;
}

/** Id and label, and the public key where there is one. */
export function describeDerivationKey(
  session: Pkcs11Session,
  key: KeyReference,
  backend: ObjectBackend,
): TokenKey {
  return backend === 'ec' ? readPublicHalf(session, key, 'ecdsa-p256') : { id: key.id, label: key.label };
}

/**
 * The x-coordinate of d * point. Derive, read and destroy are one critical section: some drivers keep a single derived
 * object, and the next derivation would replace what the first handle shows.
 */
export function deriveSharedX(session: Pkcs11Session, handle: Handle, point: Buffer): Buffer {
  const parameter = { type: CK_PARAMS_EC_DH, kdf: CKD_NULL, publicData: point };
  // Not sensitive, because it is read at once; drivers for cards refuse anything else.
  const template = buildTemplate({
    CKA_CLASS: CKO_SECRET_KEY,
    CKA_KEY_TYPE: CKK_GENERIC_SECRET,
    CKA_TOKEN: false,
    CKA_PRIVATE: false,
    CKA_SENSITIVE: false,
    CKA_EXTRACTABLE: true,
    CKA_VALUE_LEN: PRF_BYTES,
  });
  const derived = driverCall('C_DeriveKey', () =>
    session.calls.C_DeriveKey(session.handle(), { mechanism: CKM_ECDH1_DERIVE, parameter }, handle, template),
  );
  try {
    return requirePrfLength(readAttribute(session, derived, 'CKA_VALUE'));
  } finally {
    destroyObject(session, derived);
  }
}

/** HMAC-SHA256(K, context), computed on the token. */
export function hmacSha256(session: Pkcs11Session, handle: Handle, context: Buffer): Buffer {
  driverCall('C_SignInit', () => {
    session.calls.C_SignInit(session.handle(), { mechanism: CKM_SHA256_HMAC }, handle);
  });
  return requirePrfLength(
    driverCall('C_Sign', () => session.calls.C_Sign(session.handle(), context, Buffer.alloc(ANSWER_BYTES))),
  );
}

/** A token that gives fewer bytes would silently give other keys. */
function requirePrfLength(value: Buffer): Buffer {
  if (value.length === PRF_BYTES) return value;
  value.fill(0);
  throw new AgentError('token.unsupported', {
    message: `derivation: the token returned ${value.length} bytes instead of ${PRF_BYTES}`,
  });
}

function generatePair(session: Pkcs11Session, key: KeyReference): readonly Handle[] {
  const name = nameAttributes(key);
  const pair = driverCall('C_GenerateKeyPair', () =>
    session.calls.C_GenerateKeyPair(
      session.handle(),
      { mechanism: CKM_EC_KEY_PAIR_GEN },
      buildTemplate({
        ...name,
        CKA_TOKEN: true,
        CKA_PRIVATE: false,
        CKA_DERIVE: true,
        CKA_VERIFY: false,
        CKA_EC_PARAMS: P256_PARAMS,
      }),
      buildTemplate({ ...name, CKA_TOKEN: true, CKA_PRIVATE: true, ...KEPT_ON_TOKEN, ...ALLOWED.ec }),
    ),
  );
  return [pair.privateKey, pair.publicKey];
}

function generateSecret(session: Pkcs11Session, key: KeyReference): readonly Handle[] {
  const template = buildTemplate({
    ...nameAttributes(key),
    CKA_TOKEN: true,
    CKA_PRIVATE: true,
    ...KEPT_ON_TOKEN,
    ...ALLOWED.hmac,
    CKA_ENCRYPT: false,
    CKA_DECRYPT: false,
    CKA_WRAP: false,
    CKA_UNWRAP: false,
    CKA_VERIFY: false,
    CKA_VALUE_LEN: PRF_BYTES,
  });
  return [
    driverCall('C_GenerateKey', () =>
      session.calls.C_GenerateKey(session.handle(), { mechanism: CKM_GENERIC_SECRET_KEY_GEN }, template),
    ),
  ];
}
