/** The certificate in the slot of the root: programs list a key by it. It vouches for nothing, and names no repository. */
import { createHash, randomBytes } from 'node:crypto';
import { verifySignature } from '../crypto/verify.js';
import { ecdsaDerFromRaw } from '../encoding/der.js';
import { AgentError } from '../errors/agent-error.js';
import { buildTbs, sealTbs } from '../formats/x509-tbs.js';

const SERIAL_BYTES = 16;
/** A certificate without an end (RFC 5280 section 4.1.2.5). */
const NO_END = new Date('9999-12-31T23:59:59Z');
/** Clocks of other machines may be behind. */
const BACKDATE_MS = 3_600_000;

/**
 * DER of a certificate by which a key names itself.
 * @param sign r||s over a SHA-256 digest
 * @throws AgentError `token.bad-signature`, and what `sign` throws
 */
export async function nameKey(
  { spki, serial, slot }: { readonly spki: Buffer; readonly serial: string; readonly slot: string },
  sign: (digest: Buffer) => Promise<Buffer>,
): Promise<Buffer> {
  // The blanks keep it from being the name of a repository, whatever a reader of Docker Content Trust is shown.
  const name = { O: 'Touchstone', CN: `YubiKey ${serial} slot ${slot}` };
  const number = randomBytes(SERIAL_BYTES);
  // Positive, and never zero.
  number[0] = ((number[0] ?? 0) & 0x7f) | 0x40;
  const tbs = buildTbs({
    profile: 'repository',
    serial: number,
    issuer: name,
    subject: name,
    notBefore: new Date(Math.floor((Date.now() - BACKDATE_MS) / 1000) * 1000),
    notAfter: NO_END,
    spki,
    issuerSpki: spki,
  });
  const signature = await sign(createHash('sha256').update(tbs).digest());
  if (!verifySignature(spki, 'ecdsa-p256', tbs, signature)) throw new AgentError('token.bad-signature');
  return sealTbs(tbs, ecdsaDerFromRaw(signature));
}
