/** The table of key algorithms: everything that depends on which one it is, in one place. */

/** Algorithms that derive v1 makes leaves of. */
export type DerivedAlgorithm = 'ecdsa-p256' | 'ed25519';

/** Algorithms of all keys; those that are not derived live on a token. */
export type KeyAlgorithm = DerivedAlgorithm | 'ecdsa-p384' | 'rsa-3072';

export type HashName = 'sha256' | 'sha384' | 'sha512';

/** How an RSA key signs (RFC 8017): padding and hash; PSS with a salt as long as the hash. */
export type RsaScheme = (typeof RSA_SCHEMES)[number];

export interface AlgorithmFacts {
  /** DER of SubjectPublicKeyInfo before the raw public key (RFC 5480, RFC 8410, RFC 3279), hex. */
  readonly spkiPrefix: string;
  /** DER after it, hex: for RSA the public exponent, always 65537. */
  readonly spkiSuffix: string;
  /** Raw public key: uncompressed point, the 32 bytes of RFC 8032, or the modulus. */
  readonly publicKeyBytes: number;
  /** r||s for ECDSA. */
  readonly signatureBytes: number;
  /** Digest that is signed; null where the algorithm takes the message itself. RSA: where no scheme is named. */
  readonly hash: HashName | null;
  /** Type of the public key in SSH (RFC 5656, RFC 8709, RFC 4253). */
  readonly sshName: string;
  /** Curve as SSH and JWK name it, where there is one. */
  readonly curve: { readonly ssh: string; readonly jwk: string } | undefined;
}

export const ALGORITHMS: Readonly<Record<KeyAlgorithm, AlgorithmFacts>> = {
  'ecdsa-p256': {
    spkiPrefix: '3059301306072a8648ce3d020106082a8648ce3d030107034200',
    spkiSuffix: '',
    publicKeyBytes: 65,
    signatureBytes: 64,
    hash: 'sha256',
    sshName: 'ecdsa-sha2-nistp256',
    curve: { ssh: 'nistp256', jwk: 'P-256' },
  },
  ed25519: {
    spkiPrefix: '302a300506032b6570032100',
    spkiSuffix: '',
    publicKeyBytes: 32,
    signatureBytes: 64,
    hash: null,
    sshName: 'ssh-ed25519',
    curve: undefined,
  },
  'ecdsa-p384': {
    spkiPrefix: '3076301006072a8648ce3d020106052b81040022036200',
    spkiSuffix: '',
    publicKeyBytes: 97,
    signatureBytes: 96,
    hash: 'sha384',
    sshName: 'ecdsa-sha2-nistp384',
    curve: { ssh: 'nistp384', jwk: 'P-384' },
  },
  'rsa-3072': {
    spkiPrefix: '308201a2300d06092a864886f70d01010105000382018f003082018a0282018100',
    spkiSuffix: '0203010001',
    publicKeyBytes: 384,
    signatureBytes: 384,
    hash: 'sha256',
    sshName: 'ssh-rsa',
    curve: undefined,
  },
};

/** In this order they travel as numbers; PKCS#1 v1.5 with SHA-256 is what is meant when none is named. */
export const RSA_SCHEMES = [
  'rsa-pkcs1-sha256',
  'rsa-pkcs1-sha384',
  'rsa-pkcs1-sha512',
  'rsa-pss-sha256',
  'rsa-pss-sha384',
  'rsa-pss-sha512',
] as const satisfies readonly `rsa-${'pkcs1' | 'pss'}-${HashName}`[];

/** All algorithms; the first is the default of key names. */
export const KEY_ALGORITHMS = [
  'ecdsa-p256',
  'ed25519',
  'ecdsa-p384',
  'rsa-3072',
] as const satisfies readonly KeyAlgorithm[];

export const DERIVED_ALGORITHMS = ['ecdsa-p256', 'ed25519'] as const satisfies readonly DerivedAlgorithm[];

export function isKeyAlgorithm(text: string): text is KeyAlgorithm {
  return (KEY_ALGORITHMS as readonly string[]).includes(text);
}

export function isDerivedAlgorithm(text: string): text is DerivedAlgorithm {
  return (DERIVED_ALGORITHMS as readonly string[]).includes(text);
}
