/**
 * The running hash over the keeper's orders, as anybody who holds the log computes it again (docs/spec/audit.md):
 * h(0) = SHA-256("touchstone-orders-v1" || instance), h(n) = SHA-256(h(n-1) || U64BE(n) || key id || message hash).
 */
import { createHash } from 'node:crypto';

/** h(0) of a keeper instance. @param instance 16 bytes */
export function firstOrderHash(instance: Uint8Array): Buffer {
  return createHash('sha256').update('touchstone-orders-v1').update(instance).digest();
}

/** h(n). @param order n, from 1; the others are 32 bytes each */
export function nextOrderHash(
  before: Uint8Array,
  order: number,
  keyId: Uint8Array,
  messageHash: Uint8Array,
): Buffer {
  const number = Buffer.alloc(8);
  number.writeBigUInt64BE(BigInt(order));
  return createHash('sha256').update(before).update(number).update(keyId).update(messageHash).digest();
}
