import { ecdsaRawFromDer } from '../encoding/der.js';
import { AgentError } from '../errors/agent-error.js';

const ED25519_BYTES = 64;

/**
 * The 64 bytes inside a signature as it is stored outside: DER for ECDSA, itself for Ed25519.
 * @throws AgentError verify.format
 */
export function rawSignature(algorithm: 'ecdsa-p256' | 'ed25519', stored: Uint8Array): Uint8Array {
  if (algorithm === 'ecdsa-p256') return ecdsaRawFromDer(stored, 'verify.format');
  if (stored.length === ED25519_BYTES) return stored;
  throw new AgentError('verify.format', { message: `reading the signature: not ${ED25519_BYTES} bytes` });
}
