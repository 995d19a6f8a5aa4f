/** The PKCS#11 objects of one key: private key, public key and, where there is one, certificate, with equal id and label. */
import { createHash } from 'node:crypto';
import { keyNameOf } from '../../keys/key-name.js';
import type { LeafRecord } from '../../keys/key-record.js';
import { CKA, CKC_X_509, CKO, UNAVAILABLE } from './cryptoki.js';
import type { KeyCertificate } from './certificate-folder.js';
import { keyValues, type DoorAlgorithm } from './door-algorithms.js';
import { wireForm, type RpcAttribute } from './rpc-attribute.js';

/** A value before it is put in wire form. */
type Value = boolean | number | bigint | Uint8Array;

export interface KeyObject {
  readonly class: number;
  /** The key it belongs to, as the pipe names it. */
  readonly keyName: string;
  readonly keyId: string;
  readonly algorithm: DoorAlgorithm;
  readonly attributes: ReadonlyMap<number, RpcAttribute>;
}

/** A key that can stand here. */
interface DoorRecord extends LeafRecord {
  readonly algorithm: DoorAlgorithm;
}

const EMPTY = Buffer.alloc(0);

/** Attributes that exist and are never shown. */
export function isSensitive({ class: objectClass, algorithm }: KeyObject, type: number): boolean {
  return (
    objectClass === CKO.PRIVATE_KEY && (algorithm === 'rsa-3072' ? RSA_SECRETS : EC_SECRETS).includes(type)
  );
}

const EC_SECRETS: readonly number[] = [CKA.VALUE];
const RSA_SECRETS: readonly number[] = [
  ...[CKA.PRIVATE_EXPONENT, CKA.PRIME_1, CKA.PRIME_2],
  ...[CKA.EXPONENT_1, CKA.EXPONENT_2, CKA.COEFFICIENT],
];

export function keyObjects(
  record: DoorRecord,
  certificate: KeyCertificate | undefined,
): readonly KeyObject[] {
  const spki = Buffer.from(record.publicKey, 'base64');
  const named: readonly [number, Value][] = [
    [CKA.LABEL, Buffer.from(keyNameOf(record), 'utf8')],
    [CKA.ID, Buffer.from(record.keyId, 'hex')],
    [CKA.SUBJECT, certificate?.subject ?? EMPTY],
    [CKA.START_DATE, EMPTY],
    [CKA.END_DATE, EMPTY],
  ];
  const ofKey = keyValues(record.algorithm, spki);
  const key: readonly [number, Value][] = [
    ...named,
    ...ofKey.both,
    [CKA.PUBLIC_KEY_INFO, spki],
    [CKA.DERIVE, false],
    [CKA.LOCAL, false],
    [CKA.KEY_GEN_MECHANISM, UNAVAILABLE],
  ];
  const objects = [
    keyObject(record, CKO.PRIVATE_KEY, [...key, ...PRIVATE_KEY]),
    keyObject(record, CKO.PUBLIC_KEY, [...key, ...PUBLIC_KEY, ...ofKey.publicKey]),
  ];
  if (certificate === undefined) return objects;
  return [
    ...objects,
    keyObject(record, CKO.CERTIFICATE, [...named, ...CERTIFICATE, ...certificateValues(certificate)]),
  ];
}

const PRIVATE_KEY: readonly [number, Value][] = [
  [CKA.SENSITIVE, true],
  [CKA.DECRYPT, false],
  [CKA.SIGN, true],
  [CKA.SIGN_RECOVER, false],
  [CKA.UNWRAP, false],
  [CKA.EXTRACTABLE, false],
  [CKA.ALWAYS_SENSITIVE, true],
  [CKA.NEVER_EXTRACTABLE, true],
  [CKA.WRAP_WITH_TRUSTED, false],
  [CKA.ALWAYS_AUTHENTICATE, false],
];

const PUBLIC_KEY: readonly [number, Value][] = [
  [CKA.TRUSTED, false],
  [CKA.ENCRYPT, false],
  [CKA.VERIFY, true],
  [CKA.VERIFY_RECOVER, false],
  [CKA.WRAP, false],
];

const CERTIFICATE: readonly [number, Value][] = [
  [CKA.CERTIFICATE_TYPE, CKC_X_509],
  [CKA.CERTIFICATE_CATEGORY, 0],
  [CKA.TRUSTED, false],
];

function certificateValues(certificate: KeyCertificate): readonly [number, Value][] {
  return [
    [CKA.ISSUER, certificate.issuer],
    [CKA.SERIAL_NUMBER, certificate.serialNumber],
    [CKA.VALUE, certificate.der],
    // The first three bytes of the SHA-1 of the object (PKCS#11 section 4.6.3): a checksum, not a protection.
    [CKA.CHECK_VALUE, createHash('sha1').update(certificate.der).digest().subarray(0, 3)],
  ];
}

function keyObject(record: DoorRecord, objectClass: number, values: readonly [number, Value][]): KeyObject {
  const { algorithm, keyId } = record;
  const all: readonly [number, Value][] = [
    [CKA.CLASS, objectClass],
    [CKA.TOKEN, true],
    // No login is needed to see or use a key here: who may is the policy's word.
    [CKA.PRIVATE, false],
    [CKA.MODIFIABLE, false],
    [CKA.COPYABLE, false],
    [CKA.DESTROYABLE, false],
    ...values,
  ];
  const attributes = new Map(all.map(([type, value]) => [type, attribute(type, value)]));
  return { class: objectClass, keyName: keyNameOf(record), keyId, algorithm, attributes };
}

function attribute(type: number, value: Value): RpcAttribute {
  if (typeof value === 'boolean') {
    const byte = Buffer.from([value ? 1 : 0]);
    return wireForm(type) === 'byte' ? { type, length: 1, wire: byte } : counted(type, byte);
  }
  if (typeof value === 'number' || typeof value === 'bigint') {
    const wire = Buffer.alloc(8);
    wire.writeBigUInt64BE(BigInt(value));
    return { type, length: 8, wire };
  }
  return counted(type, value);
}

function counted(type: number, bytes: Uint8Array): RpcAttribute {
  const wire = Buffer.alloc(4 + bytes.length);
  wire.writeUInt32BE(bytes.length);
  wire.set(bytes, 4);
  return { type, length: bytes.length, wire };
}
