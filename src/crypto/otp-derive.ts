/**
 * Backend `otp` of derive v1 (docs/spec/derivation.md, step 1): the challenge for the slot, the work on the passphrase, and the
 * value by which a wrong passphrase or slot is recognised.
 */
import { createHash, createHmac, scryptSync } from 'node:crypto';
import { DERIVE_SUITE, lengthPrefixed } from './derive.js';

const WORK = { N: 2 ** 17, r: 8, p: 1 } as const;
/** scrypt takes 128 * N * r bytes, and a little more. */
const WORK_MEMORY_BYTES = 160 * 1024 * 1024;
const WORK_BYTES = 32;
const CHECK_BYTES = 16;

/** What is sent to the slot for a context: 32 bytes. */
export function otpChallenge(context: Uint8Array): Buffer {
  return createHash('sha256').update(`${DERIVE_SUITE}/otp/`).update(context).digest();
}

/**
 * W of the passphrase (`normalisePassphrase`): 32 bytes that the caller overwrites. Takes 128 MiB and a few tenths of a second,
 * during which this process does nothing else.
 */
export function stretchPassphrase(passphrase: Uint8Array, domain: string): Buffer {
  const salt = createHash('sha256')
    .update(`${DERIVE_SUITE}/otp/salt`)
    .update(lengthPrefixed(domain))
    .digest();
  return scryptSync(passphrase, salt, WORK_BYTES, { ...WORK, maxmem: WORK_MEMORY_BYTES });
}

/**
 * Check value over the PRF value T of `context`, 32 hex characters, public. To try passphrases against it takes the slot's
 * response, as it does against the public key of any leaf.
 */
export function otpCheck(prf: Uint8Array, context: Uint8Array): string {
  // HKDF by hand: the runtime's own keeps a copy of what it is given.
  const key = createHmac('sha256', `${DERIVE_SUITE}/otp/check`).update(prf).digest();
  const check = createHmac('sha256', key).update(context).update(Buffer.of(1)).digest();
  key.fill(0);
  return check.toString('hex', 0, CHECK_BYTES);
}
