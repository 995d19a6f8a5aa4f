/** Signatures of holders' keys, as ceremonies keep them: hex, DER for ECDSA, over the bytes themselves. */
import { ALGORITHMS, type KeyAlgorithm, type RsaScheme } from '../crypto/algorithms.js';
import { verifySignature } from '../crypto/verify.js';
import { ecdsaDerFromRaw, ecdsaRawFromDer } from '../encoding/der.js';
import { AgentError } from '../errors/agent-error.js';

/** Metadata and statements of RSA keys are signed with PSS: what TUF and Notary take. Certificates are not. */
export const RSA_SCHEME = 'rsa-pss-sha256' satisfies RsaScheme;

/** Hex of a signature as the agent gives it (r||s for ECDSA). @throws AgentError `verify.format` */
export function signatureHex(algorithm: KeyAlgorithm, raw: Uint8Array): string {
  return (isEcdsa(algorithm) ? ecdsaDerFromRaw(raw) : Buffer.from(raw)).toString('hex');
}

/** @param publicKey base64 of DER SubjectPublicKeyInfo @param signature hex, DER for ECDSA @param scheme of RSA keys */
export function isSignedBy(
  { publicKey, algorithm }: { readonly publicKey: string; readonly algorithm: KeyAlgorithm },
  message: Uint8Array,
  signature: string,
  scheme: RsaScheme = RSA_SCHEME,
): boolean {
  try {
    const encoded = Buffer.from(signature, 'hex');
    const raw = isEcdsa(algorithm)
      ? ecdsaRawFromDer(encoded, 'verify.format', coordinateOf(algorithm))
      : encoded;
    return verifySignature(Buffer.from(publicKey, 'base64'), algorithm, message, raw, scheme);
  } catch (thrown) {
    if (thrown instanceof AgentError) return false;
    throw thrown;
  }
}

function isEcdsa(algorithm: KeyAlgorithm): boolean {
  return algorithm === 'ecdsa-p256' || algorithm === 'ecdsa-p384';
}

function coordinateOf(algorithm: KeyAlgorithm): number {
  return ALGORITHMS[algorithm].signatureBytes / 2;
}
