/** Key ids: one name for a public key everywhere, in keyring, log, policy and wire. */
import { createHash } from 'node:crypto';

/** Lower-case hex SHA-256 of the DER SubjectPublicKeyInfo, 64 characters. */
export function keyIdOf(spki: Uint8Array): string {
  return createHash('sha256').update(spki).digest('hex');
}
