/** derive v1 in plain software, steps 1 to 3, as a second opinion against token, native shim and vectors. Tests only. */
import { createHmac, hkdfSync } from 'node:crypto';
import { p256 } from '@noble/curves/nist.js';
import { ed25519 } from '@noble/curves/ed25519.js';

const GROUP_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** Step 1, backend `ec`: x-coordinate of secret * point. */
export function evaluateEc(secret: Uint8Array, point: Uint8Array): Buffer {
  return Buffer.from(p256.getSharedSecret(secret, point, true).subarray(1));
}

/** Step 1, backend `hmac`. */
export function evaluateHmac(secret: Uint8Array, context: Uint8Array): Buffer {
  return createHmac('sha256', secret).update(context).digest();
}

export interface ReferenceInputs {
  readonly algorithm: string;
  readonly salt: Uint8Array;
  readonly prf: Uint8Array;
  readonly context: Uint8Array;
}

/** Steps 2 and 3: the private scalar or seed, 32 bytes. */
export function shapePrivate({ algorithm, salt, prf, context }: ReferenceInputs): Buffer {
  if (algorithm === 'ed25519') return Buffer.from(hkdfSync('sha256', prf, salt, context, 32));
  const output = Buffer.from(hkdfSync('sha256', prf, salt, context, 48));
  const scalar = (BigInt(`0x${output.toString('hex')}`) % (GROUP_ORDER - 1n)) + 1n;
  return Buffer.from(scalar.toString(16).padStart(64, '0'), 'hex');
}

/** Raw public key of a private scalar or seed. */
export function publicOf(algorithm: string, secret: Uint8Array): Buffer {
  return Buffer.from(
    algorithm === 'ed25519' ? ed25519.getPublicKey(secret) : p256.getPublicKey(secret, false),
  );
}
