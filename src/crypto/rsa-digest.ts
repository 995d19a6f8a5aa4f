/** RSA signatures over digests (RFC 8017): what node:crypto does only for whole messages. */
import { constants, createHash, publicDecrypt, timingSafeEqual, type KeyObject } from 'node:crypto';
import type { HashName } from './algorithms.js';

/** DER of DigestInfo up to the digest (RFC 8017 section 9.2, note 1), hex. */
const DIGEST_INFO: Readonly<Record<HashName, string>> = {
  sha256: '3031300d060960864801650304020105000420',
  sha384: '3041300d060960864801650304020205000430',
  sha512: '3051300d060960864801650304020305000440',
};
/** The longest of them. */
export const MAX_DIGEST_INFO_BYTES = 83;
/** Last byte of an encoded PSS message. */
const PSS_TRAILER = 0xbc;
/** Before the digest in what PSS hashes. */
const PSS_PADDING = Buffer.alloc(8);

/** What PKCS#1 v1.5 signs of a digest. */
export function digestInfo(hash: HashName, digest: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(DIGEST_INFO[hash], 'hex'), digest]);
}

/** The digest in what PKCS#1 v1.5 signs; undefined for every other encoding and every other hash. */
export function readDigestInfo(
  bytes: Buffer,
): { readonly hash: HashName; readonly digest: Buffer } | undefined {
  for (const hash of ['sha256', 'sha384', 'sha512'] as const) {
    const digest = bytes.subarray(DIGEST_INFO[hash].length / 2);
    const isWhole = digest.length * 8 === Number(hash.slice('sha'.length));
    if (isWhole && digestInfo(hash, digest).equals(bytes)) return { hash, digest };
  }
  return undefined;
}

/** Whether a PKCS#1 v1.5 signature is over this digest. */
export function verifyPkcs1Digest(
  key: KeyObject,
  hash: HashName,
  digest: Uint8Array,
  signature: Uint8Array,
): boolean {
  const signed = opened(key, signature, constants.RSA_PKCS1_PADDING);
  const wanted = digestInfo(hash, digest);
  return signed?.length === wanted.length && timingSafeEqual(signed, wanted);
}

/** Whether a PSS signature (MGF1 of the same hash, salt as long as the hash, modulus of a whole number of bytes) is over this digest. */
export function verifyPssDigest(
  key: KeyObject,
  hash: HashName,
  digest: Uint8Array,
  signature: Uint8Array,
): boolean {
  const encoded = opened(key, signature, constants.RSA_NO_PADDING);
  if (encoded?.at(-1) !== PSS_TRAILER || (encoded[0] ?? 0) >= 0x80) return false;
  const length = digest.length;
  const masked = encoded.subarray(0, -length - 1);
  const inner = encoded.subarray(masked.length, -1);
  const block = maskGenerated(hash, inner, masked.length).map((byte, at) => byte ^ (masked[at] ?? 0));
  block[0] = (block[0] ?? 0) & 0x7f;
  const salt = block.subarray(-length);
  const zeros = block.subarray(0, -length - 1);
  if (block.at(-length - 1) !== 1 || zeros.some((byte) => byte !== 0)) return false;
  const again = createHash(hash).update(PSS_PADDING).update(digest).update(salt).digest();
  return timingSafeEqual(again, inner);
}

/** Undefined when the padding is wrong. */
function opened(key: KeyObject, signature: Uint8Array, padding: number): Buffer | undefined {
  try {
    return publicDecrypt({ key, padding }, signature);
  } catch {
    return undefined;
  }
}

/** MGF1, RFC 8017 appendix B.2.1. */
function maskGenerated(hash: HashName, seed: Uint8Array, length: number): Buffer {
  const parts: Buffer[] = [];
  const counter = Buffer.alloc(4);
  for (let made = 0; made < length; made += parts.at(-1)?.length ?? length) {
    counter.writeUInt32BE(parts.length);
    parts.push(createHash(hash).update(seed).update(counter).digest());
  }
  return Buffer.concat(parts).subarray(0, length);
}
