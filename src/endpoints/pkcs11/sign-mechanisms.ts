/** Mechanisms that keys sign with here, and their parameters. */
import type { HashName } from '../../crypto/algorithms.js';
import { CKG, CKM } from './cryptoki.js';
import type { DoorAlgorithm } from './door-algorithms.js';

export interface SignMechanism {
  readonly family: 'ecdsa' | 'rsa-pkcs1' | 'rsa-pss';
  /** Of mechanisms that hash; the others are given a digest. */
  readonly hashes: HashName | undefined;
}

/** In the order they are listed. */
export const SIGN_MECHANISMS: ReadonlyMap<number, SignMechanism> = new Map([
  [CKM.ECDSA, { family: 'ecdsa', hashes: undefined }],
  [CKM.ECDSA_SHA256, { family: 'ecdsa', hashes: 'sha256' }],
  [CKM.ECDSA_SHA384, { family: 'ecdsa', hashes: 'sha384' }],
  [CKM.ECDSA_SHA512, { family: 'ecdsa', hashes: 'sha512' }],
  [CKM.RSA_PKCS, { family: 'rsa-pkcs1', hashes: undefined }],
  [CKM.SHA256_RSA_PKCS, { family: 'rsa-pkcs1', hashes: 'sha256' }],
  [CKM.SHA384_RSA_PKCS, { family: 'rsa-pkcs1', hashes: 'sha384' }],
  [CKM.SHA512_RSA_PKCS, { family: 'rsa-pkcs1', hashes: 'sha512' }],
  [CKM.RSA_PKCS_PSS, { family: 'rsa-pss', hashes: undefined }],
  [CKM.SHA256_RSA_PKCS_PSS, { family: 'rsa-pss', hashes: 'sha256' }],
  [CKM.SHA384_RSA_PKCS_PSS, { family: 'rsa-pss', hashes: 'sha384' }],
  [CKM.SHA512_RSA_PKCS_PSS, { family: 'rsa-pss', hashes: 'sha512' }],
]);

/** Hash, mask generation and length of the salt, as the agent signs. */
const PSS: readonly (readonly [HashName, number, number, number])[] = [
  ['sha256', CKM.SHA256, CKG.MGF1_SHA256, 32],
  ['sha384', CKM.SHA384, CKG.MGF1_SHA384, 48],
  ['sha512', CKM.SHA512, CKG.MGF1_SHA512, 64],
];
const PSS_BYTES = 24;

export function fitsKey({ family }: SignMechanism, algorithm: DoorAlgorithm): boolean {
  return (family === 'ecdsa') === (algorithm !== 'rsa-3072');
}

/**
 * What the parameters say about the hash: its name for PSS, null where there are none and none are due; undefined when they are not
 * what the mechanism takes, or not what the agent signs.
 */
export function parameterHash(
  { family, hashes }: SignMechanism,
  parameter: Buffer,
): HashName | null | undefined {
  if (family !== 'rsa-pss') return isNothing(parameter) ? null : undefined;
  const hash = pssHash(parameter);
  return hashes === undefined || hash === hashes ? hash : undefined;
}

/** p11-kit writes nothing from 0.25 on, and a null pointer before. */
function isNothing(parameter: Buffer): boolean {
  return parameter.length === 0 || (parameter.length === 4 && parameter.readUInt32BE(0) === 0xffffffff);
}

/** Three numbers of 64 bits; later versions of p11-kit put a byte before them that says they are there. */
function pssHash(parameter: Buffer): HashName | undefined {
  const isMarked = parameter.length === PSS_BYTES + 1 && parameter[0] === 1;
  const bytes = isMarked ? parameter.subarray(1) : parameter;
  if (bytes.length !== PSS_BYTES) return undefined;
  const given = [0, 8, 16].map((at) => bytes.readBigUInt64BE(at));
  return PSS.find(([, ...wanted]) => wanted.every((value, at) => given[at] === BigInt(value)))?.[0];
}
