/**
 * Keys as TUF documents hold them. The object is kept whole: its id is the hash of all of it, fields that nobody knows included, and
 * changing one of them makes another key of it.
 */
import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { rawFromSpki, spkiFromRaw, publicKeyPem } from '../../crypto/public-key.js';
import { decodePem } from '../../encoding/pem.js';
import { AgentError } from '../../errors/agent-error.js';
import { tufCanonical } from './canonical.js';

export interface TufKey {
  readonly keytype: string;
  readonly scheme: string;
  readonly keyval: {
    /** PEM SubjectPublicKeyInfo, or 64 hex digits for Ed25519. */
    readonly public: string;
    readonly [more: string]: unknown;
  };
  readonly [more: string]: unknown;
}

/** What a key signs with; undefined for what this release does not verify. */
export type TufScheme = 'ecdsa-p256' | 'ecdsa-p384' | 'ed25519' | 'rsa-pss-sha256';

const SCHEMES: Readonly<Record<string, { readonly types: readonly string[]; readonly scheme: TufScheme }>> = {
  'ecdsa-sha2-nistp256': { types: ['ecdsa', 'ecdsa-sha2-nistp256'], scheme: 'ecdsa-p256' },
  'ecdsa-sha2-nistp384': { types: ['ecdsa', 'ecdsa-sha2-nistp384'], scheme: 'ecdsa-p384' },
  ed25519: { types: ['ed25519'], scheme: 'ed25519' },
  'rsassa-pss-sha256': { types: ['rsa'], scheme: 'rsa-pss-sha256' },
};

const MIN_RSA_BITS = 2048;
const ED25519_HEX = /^[0-9a-fA-F]{64}$/;
/** Uncompressed points of P-256 and P-384, as old writers had them. */
const POINT_HEX = /^04(?:[0-9a-fA-F]{128}|[0-9a-fA-F]{192})$/;
const CURVES = { 'P-256': 'ecdsa-p256', 'P-384': 'ecdsa-p384' } as const;

/**
 * The key object of a public key.
 * @param spki DER SubjectPublicKeyInfo
 * @throws AgentError `tuf.key` for P-384, which half of the clients verify wrongly; `usage.invalid` for what is no key
 */
export function tufKeyOf(spki: Buffer): TufKey {
  const { algorithm, raw } = rawFromSpki(spki);
  switch (algorithm) {
    case 'ecdsa-p256':
      return {
        keytype: 'ecdsa',
        scheme: 'ecdsa-sha2-nistp256',
        keyval: { public: publicKeyPem(spki) },
      };
    case 'ed25519':
      return { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: raw.toString('hex') } };
    case 'rsa-3072':
      return { keytype: 'rsa', scheme: 'rsassa-pss-sha256', keyval: { public: publicKeyPem(spki) } };
    case 'ecdsa-p384':
      throw invalidKey('half of the clients verify P-384 wrongly');
  }
}

/** Lower-case hex SHA-256 of the canonical JSON of the whole key object. @throws AgentError `tuf.document` */
export function tufKeyIdOf(key: TufKey): string {
  return createHash('sha256').update(tufCanonical(key, 'computing a key id')).digest('hex');
}

/** How signatures of this key are made, or undefined when its type and scheme are not of this release. */
export function schemeOf({ keytype, scheme }: TufKey): TufScheme | undefined {
  const known = Object.hasOwn(SCHEMES, scheme) ? SCHEMES[scheme] : undefined;
  return known?.types.includes(keytype) === true ? known.scheme : undefined;
}

/**
 * DER SubjectPublicKeyInfo. Two objects of one public key give the same bytes, however they are written.
 * @throws AgentError `tuf.key` when type, scheme and value do not fit each other
 */
export function spkiOf(key: TufKey): Buffer {
  return publicKeyOf(key).spki;
}

/** The key ready to verify, with its scheme. @throws AgentError `tuf.key` */
export function publicKeyOf(key: TufKey): { key: KeyObject; scheme: TufScheme; spki: Buffer } {
  const scheme = schemeOf(key);
  if (scheme === undefined) throw invalidKey('its type and scheme are not known');
  try {
    const spki = normalisedSpki(key.keyval.public, scheme);
    return { key: createPublicKey({ key: spki, format: 'der', type: 'spki' }), scheme, spki };
  } catch (cause) {
    if (cause instanceof AgentError && cause.code === 'tuf.key') throw cause;
    throw invalidKey(`it is not a key of type ${scheme}`);
  }
}

function normalisedSpki(held: string, scheme: TufScheme): Buffer {
  if (scheme === 'ed25519') {
    if (!ED25519_HEX.test(held)) throw invalidKey('an Ed25519 key has 64 hex digits');
    return spkiFromRaw('ed25519', Buffer.from(held, 'hex'));
  }
  if (scheme === 'rsa-pss-sha256') return rsaSpki(held);
  if (POINT_HEX.test(held)) return spkiFromRaw(scheme, Buffer.from(held, 'hex'));
  const { crv, x, y } = imported(held).export({ format: 'jwk' });
  const curve = crv === 'P-256' || crv === 'P-384' ? CURVES[crv] : undefined;
  if (curve !== scheme || x === undefined || y === undefined) throw invalidKey('the curve is another one');
  // A compressed point is the same key: one public key, one form.
  return spkiFromRaw(
    curve,
    Buffer.concat([Buffer.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]),
  );
}

function rsaSpki(held: string): Buffer {
  const key = imported(held);
  const bits = key.asymmetricKeyType === 'rsa' ? (key.asymmetricKeyDetails?.modulusLength ?? 0) : 0;
  if (bits < MIN_RSA_BITS) throw invalidKey(`an RSA key has ${MIN_RSA_BITS} bits or more`);
  return key.export({ format: 'der', type: 'spki' });
}

function imported(pem: string): KeyObject {
  const { label, der } = decodePem(pem, 'reading a key', 'tuf.key');
  if (label !== 'PUBLIC KEY') throw invalidKey('the PEM block is not a PUBLIC KEY');
  return createPublicKey({ key: der, format: 'der', type: 'spki' });
}

function invalidKey(problem: string): AgentError {
  return new AgentError('tuf.key', { message: `reading a TUF key: ${problem}` });
}
