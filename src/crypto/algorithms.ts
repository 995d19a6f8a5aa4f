/** The table of key algorithms: everything that depends on which one it is, in one place. */

/** Algorithms of leaves and of on-token keys (derive v1 and PKCS#11). */
export type KeyAlgorithm = 'ecdsa-p256' | 'ed25519';

export interface AlgorithmFacts {
  /** DER of SubjectPublicKeyInfo before the raw public key (RFC 5480, RFC 8410), hex. */
  readonly spkiPrefix: string;
  /** Raw public key: uncompressed point, or the 32 bytes of RFC 8032. */
  readonly publicKeyBytes: number;
  /** r||s for ECDSA. */
  readonly signatureBytes: number;
  /** Digest that is signed; null where the algorithm takes the message itself. */
  readonly hash: 'sha256' | null;
  /** Public key and signature algorithm name in SSH (RFC 5656, RFC 8709). */
  readonly sshName: string;
}

export const ALGORITHMS: Readonly<Record<KeyAlgorithm, AlgorithmFacts>> = {
  'ecdsa-p256': {
    spkiPrefix: '3059301306072a8648ce3d020106082a8648ce3d030107034200',
    publicKeyBytes: 65,
    signatureBytes: 64,
    hash: 'sha256',
    sshName: 'ecdsa-sha2-nistp256',
  },
  ed25519: {
    spkiPrefix: '302a300506032b6570032100',
    publicKeyBytes: 32,
    signatureBytes: 64,
    hash: null,
    sshName: 'ssh-ed25519',
  },
};

/** All algorithms; the first is the default of key names. */
export const KEY_ALGORITHMS = ['ecdsa-p256', 'ed25519'] as const satisfies readonly KeyAlgorithm[];

export function isKeyAlgorithm(text: string): text is KeyAlgorithm {
  return (KEY_ALGORITHMS as readonly string[]).includes(text);
}
