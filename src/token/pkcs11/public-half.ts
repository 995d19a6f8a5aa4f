/** The public object of a key pair. It is readable before login. */
import type { Handle } from 'pkcs11js';
import { AgentError } from '../../errors/agent-error.js';
import { ALGORITHMS, type KeyAlgorithm } from '../../crypto/algorithms.js';
import { rawFromSpki, spkiFromRaw } from '../../crypto/public-key.js';
import { encodeBase64 } from '../../encoding/base64.js';
import type { KeyReference, TokenKey } from '../token.js';
import { CKO_PUBLIC_KEY } from './cryptoki.js';
import { KEY_TYPES, RSA_EXPONENT } from './key-types.js';
import { findKeyObject, findObjects, readAttribute } from './objects.js';
import type { Pkcs11Session } from './session.js';

const POINT_BYTES = 65;
const OCTET_STRING = 0x04;

/** Id, label and public key of a pair. @throws AgentError `token.key-missing`, `token.unsupported` for another curve or size */
export function readPublicHalf(session: Pkcs11Session, key: KeyReference, algorithm: KeyAlgorithm): TokenKey {
  const { keyType } = KEY_TYPES[algorithm];
  const object = findKeyObject(session, key, { CKA_CLASS: CKO_PUBLIC_KEY, CKA_KEY_TYPE: keyType });
  const spki =
    algorithm === 'rsa-3072' ? rsaSpki(session, object, key) : curveSpki(session, object, key, algorithm);
  return { id: key.id, label: key.label, publicKey: encodeBase64(spki) };
}

/**
 * Id and label of the pair whose public half is `spki`: labels are given anew by some tools and slots move, the key itself stays.
 * @throws AgentError `token.key-missing`
 */
export function findPublicHalf(session: Pkcs11Session, spki: Uint8Array): TokenKey {
  const { algorithm, raw } = rawFromSpki(spki);
  const base = { CKA_CLASS: CKO_PUBLIC_KEY, CKA_KEY_TYPE: KEY_TYPES[algorithm].keyType } as const;
  const wrapped = Buffer.concat([Buffer.of(OCTET_STRING, raw.length), raw]);
  // Some drivers give the bare point instead of the OCTET STRING around it.
  const forms =
    algorithm === 'rsa-3072' ? [{ CKA_MODULUS: raw }] : [{ CKA_EC_POINT: wrapped }, { CKA_EC_POINT: raw }];
  for (const form of forms) {
    const [object] = findObjects(session, { ...base, ...form });
    if (object === undefined) continue;
    const key = {
      id: readAttribute(session, object, 'CKA_ID').toString('hex'),
      label: readAttribute(session, object, 'CKA_LABEL').toString('utf8'),
    };
    // What else an object says of its key counts only if the whole public half is this one.
    if (Buffer.from(spki).toString('base64') === readPublicHalf(session, key, algorithm).publicKey)
      return { ...key, publicKey: encodeBase64(spki) };
  }
  throw new AgentError('token.key-missing', { message: 'looking for a public key: it is not on the token' });
}

/** CKA_EC_POINT for a 65-byte uncompressed point: a DER OCTET STRING (PKCS#11 v2.40 curr section 2.3.3). */
export function encodePoint(point: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(OCTET_STRING, POINT_BYTES), point]);
}

function curveSpki(
  session: Pkcs11Session,
  object: Handle,
  key: KeyReference,
  algorithm: KeyAlgorithm,
): Buffer {
  const { CKA_EC_PARAMS: params } = KEY_TYPES[algorithm].publicTemplate;
  if (params === undefined || !readAttribute(session, object, 'CKA_EC_PARAMS').equals(params)) {
    throw new AgentError('token.unsupported', {
      message: `key "${key.label}": it is not on the curve of ${algorithm}`,
    });
  }
  const value = readAttribute(session, object, 'CKA_EC_POINT');
  const { publicKeyBytes } = ALGORITHMS[algorithm];
  // Some drivers give the bare point instead of the OCTET STRING around it.
  const isWrapped = value.length === publicKeyBytes + 2 && value[0] === OCTET_STRING;
  return spkiFromRaw(algorithm, isWrapped ? value.subarray(2) : value);
}

function rsaSpki(session: Pkcs11Session, object: Handle, key: KeyReference): Buffer {
  const modulus = readAttribute(session, object, 'CKA_MODULUS');
  const { publicKeyBytes } = ALGORITHMS['rsa-3072'];
  const isExponent = readAttribute(session, object, 'CKA_PUBLIC_EXPONENT').equals(RSA_EXPONENT);
  if (isExponent && modulus.length === publicKeyBytes) return spkiFromRaw('rsa-3072', modulus);
  throw new AgentError('token.unsupported', {
    message: `key "${key.label}": it is not an RSA key of 3072 bits with exponent 65537`,
  });
}
