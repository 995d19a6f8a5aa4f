/** Keys of tests that sign TUF metadata, and documents to start from. */
import { constants, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import type { TufDocument, TufEnvelope, TufRoot, TufSignature } from '../../src/formats/tuf/document.js';
import { SPEC_VERSION } from '../../src/formats/tuf/document.js';
import { tufKeyIdOf, tufKeyOf, type TufKey } from '../../src/formats/tuf/key.js';
import { signedBytes } from '../../src/formats/tuf/writer.js';

export type TufTestAlgorithm = 'p256' | 'p384' | 'ed25519' | 'rsa';

export class TufSigner {
  readonly key: TufKey;
  readonly id: string;
  readonly spki: Buffer;
  readonly #secret: KeyObject;
  readonly #hash: 'sha256' | 'sha384' | null;

  private constructor(key: TufKey, id: string, algorithm: TufTestAlgorithm, pair: KeyPair) {
    this.key = key;
    this.id = id;
    this.spki = pair.publicKey.export({ format: 'der', type: 'spki' });
    this.#secret = pair.privateKey;
    this.#hash = algorithm === 'ed25519' ? null : algorithm === 'p384' ? 'sha384' : 'sha256';
  }

  static make(algorithm: TufTestAlgorithm = 'p256'): TufSigner {
    const pair = generate(algorithm);
    const spki = pair.publicKey.export({ format: 'der', type: 'spki' });
    const pem = pair.publicKey.export({ format: 'pem', type: 'spki' }).toString();
    const key =
      algorithm === 'p384'
        ? { keytype: 'ecdsa', scheme: 'ecdsa-sha2-nistp384', keyval: { public: pem } }
        : tufKeyOf(spki);
    return new TufSigner(key, tufKeyIdOf(key), algorithm, pair);
  }

  /** Hex of a signature over these bytes, as TUF writes it. */
  sign(message: Uint8Array): string {
    const { RSA_PKCS1_PSS_PADDING: padding } = constants;
    const isRsa = this.#secret.asymmetricKeyType === 'rsa';
    const key = isRsa ? { key: this.#secret, padding, saltLength: 32 } : this.#secret;
    return sign(this.#hash, message, key).toString('hex');
  }

  signature(document: TufDocument): TufSignature {
    return { keyid: this.id, sig: this.sign(signedBytes(document)) };
  }
}

/** The document with a signature of each. */
export function signedBy<T extends TufDocument>(signed: T, signers: readonly TufSigner[]): TufEnvelope<T> {
  return { signed, signatures: signers.map((signer) => signer.signature(signed)) };
}

export interface RootKeys {
  readonly root: readonly TufSigner[];
  readonly threshold?: number;
  /** Of the three other roles. */
  readonly online: TufSigner;
}

/** A root that breaks no rule. */
export function rootOf({ root, threshold = 1, online }: RootKeys, version = 1): TufRoot {
  const role = { keyids: [online.id], threshold: 1 };
  return {
    type: 'root',
    specVersion: SPEC_VERSION,
    version,
    expires: '2031-01-02T03:04:05Z',
    raw: {},
    consistentSnapshot: true,
    keys: new Map([...root, online].map(({ id, key }) => [id, key])),
    roles: {
      root: { keyids: root.map(({ id }) => id), threshold },
      targets: role,
      snapshot: role,
      timestamp: role,
    },
  };
}

interface KeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

function generate(algorithm: TufTestAlgorithm): KeyPair {
  switch (algorithm) {
    case 'p256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' });
    case 'p384':
      return generateKeyPairSync('ec', { namedCurve: 'P-384' });
    case 'ed25519':
      return generateKeyPairSync('ed25519');
    case 'rsa':
      return generateKeyPairSync('rsa', { modulusLength: 3072 });
  }
}
