/** Challenges of the HMAC-SHA1 mode. A variable-length slot strips the filler again, a fixed one hashes it along. */
import { invariant } from '../../errors/agent-error.js';
import { PAYLOAD_BYTES } from './frame.js';

/** HMAC-SHA1. */
export const RESPONSE_BYTES = 20;

/** Two fillers for the same challenge: a slot that answers both alike is of variable length. */
export type Filler = 'usual' | 'other';

/**
 * A challenge of 1 to 63 bytes as 64. The slot strips every byte at the end that equals the last one, so the filler is one
 * that the challenge does not end with: 00, or 01 after 00; `other` is the next one that fits.
 */
export function padChallenge(challenge: Uint8Array, filler: Filler = 'usual'): Buffer {
  invariant(challenge.length > 0 && challenge.length < PAYLOAD_BYTES, 'challenge of another length');
  const last = challenge[challenge.length - 1];
  const [usual, other] = [0x00, 0x01, 0x02].filter((byte) => byte !== last);
  const padded = Buffer.alloc(PAYLOAD_BYTES, filler === 'usual' ? usual : other);
  padded.set(challenge);
  return padded;
}
