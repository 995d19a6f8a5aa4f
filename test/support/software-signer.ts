/** Keys of tests that sign metadata, bare or wrapped in the certificates that roots need. */
import { constants, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import { encodePem } from '../../src/encoding/pem.js';
import {
  canonicalKeyId,
  notaryKeyFromCertificates,
  publicKeyOf,
  tufKeyId,
  type NotaryKey,
} from '../../src/formats/notary1/key.js';
import { signatureMethod, type NotarySignature } from '../../src/formats/notary1/signature.js';
import { buildTbs, sealTbs } from '../../src/formats/x509-tbs.js';

export type SoftwareAlgorithm = 'p256' | 'p384' | 'ed25519' | 'rsa' | 'short-rsa';

const DAY_MS = 86_400_000;

export interface CertificateOptions {
  /** Days from now; below 0 it has expired. */
  readonly days?: number | undefined;
  readonly notBefore?: Date | undefined;
  /** Signs it; itself when left out. */
  readonly issuer?: SoftwareSigner | undefined;
  /** Of the issuer. */
  readonly issuerName?: string | undefined;
  readonly profile?: 'authority' | 'leaf' | 'repository' | undefined;
  /** As roots made on hardware by the old tools have it. */
  readonly brokenSignature?: boolean | undefined;
  /** Certificates after the leaf, PEM. */
  readonly chain?: string | undefined;
}

export class SoftwareSigner {
  readonly key: NotaryKey;
  /** Undefined for a key of somebody else. */
  readonly #secret: KeyObject | undefined;
  readonly #public: KeyObject;

  private constructor(
    key: NotaryKey,
    pair: { readonly privateKey?: KeyObject; readonly publicKey: KeyObject },
  ) {
    this.key = key;
    this.#secret = pair.privateKey;
    this.#public = pair.publicKey;
  }

  static make(algorithm: SoftwareAlgorithm = 'p256'): SoftwareSigner {
    const pair = generate(algorithm);
    const spki = pair.publicKey.export({ format: 'der', type: 'spki' });
    if (algorithm === 'ed25519') {
      return new SoftwareSigner({ keytype: 'ed25519', public: spki.subarray(-32).toString('base64') }, pair);
    }
    const keytype = algorithm === 'rsa' || algorithm === 'short-rsa' ? 'rsa' : 'ecdsa';
    return new SoftwareSigner({ keytype, public: spki.toString('base64') }, pair);
  }

  /** A key of the server, which signs nothing here. */
  static publicOnly(key: NotaryKey): SoftwareSigner {
    return new SoftwareSigner(key, { publicKey: publicKeyOf(key) });
  }

  /** TUF id. */
  get id(): string {
    return tufKeyId(this.key);
  }

  get canonicalId(): string {
    return canonicalKeyId(this.key);
  }

  /** PEM of the public key. */
  get publicPem(): string {
    return this.#public.export({ format: 'pem', type: 'spki' }).toString();
  }

  /** PEM of the private key. */
  get privatePem(): string {
    return this.#private.export({ format: 'pem', type: 'pkcs8' }).toString();
  }

  /** The same key in a certificate with this common name. */
  certified(commonName: string, options: CertificateOptions = {}): SoftwareSigner {
    const pem = this.certificate(commonName, options) + (options.chain ?? '');
    return new SoftwareSigner(notaryKeyFromCertificates(pem), {
      privateKey: this.#private,
      publicKey: this.#public,
    });
  }

  /** The same key in certificates that somebody else made, PEM. */
  wrapped(pem: string): SoftwareSigner {
    return new SoftwareSigner(notaryKeyFromCertificates(pem), {
      privateKey: this.#private,
      publicKey: this.#public,
    });
  }

  get #private(): KeyObject {
    if (this.#secret === undefined) throw new Error('this key is somebody else’s');
    return this.#secret;
  }

  /** PEM of a certificate for this key. */
  certificate(commonName: string, options: CertificateOptions = {}): string {
    const issuer = options.issuer ?? this;
    const notAfter = new Date(Date.now() + (options.days ?? 3650) * DAY_MS);
    const tbs = buildTbs({
      profile: options.profile ?? 'repository',
      serial: Buffer.concat([Buffer.from([0x40]), randomBytes(15)]),
      issuer: { CN: options.issuerName ?? commonName },
      subject: { CN: commonName },
      notBefore: options.notBefore ?? new Date(Math.min(Date.now(), notAfter.getTime()) - DAY_MS),
      notAfter,
      spki: this.#public.export({ format: 'der', type: 'spki' }),
      issuerSpki: issuer.#public.export({ format: 'der', type: 'spki' }),
    });
    const signature = sign('sha256', tbs, generate('p256').privateKey);
    const isHonest = options.brokenSignature !== true && issuer.key.keytype.startsWith('ecdsa');
    return encodePem(
      'CERTIFICATE',
      sealTbs(tbs, isHonest ? sign('sha256', tbs, issuer.#private) : signature),
    );
  }

  sign(message: Uint8Array): NotarySignature {
    const method = signatureMethod(this.key.keytype);
    const key = this.#private;
    const { RSA_PKCS1_PSS_PADDING: padding } = constants;
    switch (method) {
      case 'ecdsa':
        return { keyid: this.id, method, sig: sign('sha256', message, { key, dsaEncoding: 'ieee-p1363' }) };
      case 'rsapss':
        return { keyid: this.id, method, sig: sign('sha256', message, { key, padding, saltLength: 32 }) };
      case 'eddsa':
        return { keyid: this.id, method, sig: sign(null, message, key) };
    }
  }
}

function generate(algorithm: SoftwareAlgorithm): {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
} {
  switch (algorithm) {
    case 'p256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' });
    case 'p384':
      return generateKeyPairSync('ec', { namedCurve: 'P-384' });
    case 'ed25519':
      return generateKeyPairSync('ed25519');
    case 'rsa':
      return generateKeyPairSync('rsa', { modulusLength: 3072 });
    case 'short-rsa':
      return generateKeyPairSync('rsa', { modulusLength: 1024 });
  }
}
