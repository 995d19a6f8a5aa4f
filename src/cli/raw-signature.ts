import { ALGORITHMS, type KeyAlgorithm } from '../crypto/algorithms.js';
import { ecdsaRawFromDer } from '../encoding/der.js';
import { AgentError } from '../errors/agent-error.js';

/**
 * The bytes inside a signature as it is stored outside: r||s out of DER for ECDSA, itself for the others.
 * @throws AgentError verify.format
 */
export function rawSignature(algorithm: KeyAlgorithm, stored: Uint8Array): Uint8Array {
  const { curve, signatureBytes } = ALGORITHMS[algorithm];
  if (curve !== undefined) return ecdsaRawFromDer(stored, 'verify.format', signatureBytes / 2);
  if (stored.length === signatureBytes) return stored;
  throw new AgentError('verify.format', { message: `reading the signature: not ${signatureBytes} bytes` });
}
