/** The public object of a key pair. It is readable before login. */
import type { Handle } from 'pkcs11js';
import { AgentError } from '../../errors/agent-error.js';
import { spkiFromRaw } from '../../crypto/public-key.js';
import { encodeBase64 } from '../../encoding/base64.js';
import type { KeyReference, TokenKey } from '../token.js';
import { CKK_EC, CKO_PUBLIC_KEY } from './cryptoki.js';
import { P256_PARAMS } from './key-attributes.js';
import { findKeyObject, readAttribute } from './objects.js';
import type { Pkcs11Session } from './session.js';

const POINT_BYTES = 65;
/** DER OCTET STRING of 65 bytes, as CKA_EC_POINT is specified (PKCS#11 v2.40 curr §2.3.3). */
const OCTET_STRING_HEADER = Buffer.from([0x04, POINT_BYTES]);

/** Id, label and public key of a pair. @throws AgentError `token.key-missing`, `token.unsupported` for another curve */
export function readPublicHalf(session: Pkcs11Session, key: KeyReference): TokenKey {
  const object = findKeyObject(session, key, { CKA_CLASS: CKO_PUBLIC_KEY, CKA_KEY_TYPE: CKK_EC });
  return { id: key.id, label: key.label, publicKey: encodeBase64(spkiOf(session, object, key)) };
}

/** CKA_EC_POINT for a 65-byte uncompressed point. */
export function encodePoint(point: Uint8Array): Buffer {
  return Buffer.concat([OCTET_STRING_HEADER, point]);
}

function spkiOf(session: Pkcs11Session, object: Handle, key: KeyReference): Buffer {
  if (!readAttribute(session, object, 'CKA_EC_PARAMS').equals(P256_PARAMS)) {
    throw new AgentError('token.unsupported', {
      message: `key "${key.label}": it is not on the curve P-256`,
    });
  }
  const value = readAttribute(session, object, 'CKA_EC_POINT');
  // Some drivers give the bare point instead of the OCTET STRING around it.
  const point =
    value.subarray(0, 2).equals(OCTET_STRING_HEADER) && value.length > POINT_BYTES
      ? value.subarray(2)
      : value;
  return spkiFromRaw('ecdsa-p256', point);
}
