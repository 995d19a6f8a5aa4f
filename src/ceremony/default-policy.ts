/** The policy that a first ceremony begins with when nobody has written one. */
import type { CeremonyPolicy } from './policy.js';

const LETTERS = 'abcdefghijklmnopqrstuvwxyz';
const DIGITS = '0123456789';

/** @param name what it is the root of, in words @param tokens what is asked of tokens; any will do where nothing is said */
export function defaultPolicy(name: string, tokens: Partial<CeremonyPolicy['tokens']>): CeremonyPolicy {
  return {
    format: 'touchstone-ceremony-policy',
    version: 1,
    name,
    profile: 'portable',
    schemes: ['ecdsa-sha2-nistp256', 'ed25519'],
    threshold: { min: 2, max: 16 },
    validityDays: { root: 740, targets: 400, snapshot: 60, timestamp: 14 },
    windows: { signingDays: 90, alarmDays: 30 },
    tokens: {
      attestation: 'optional',
      anchors: [],
      minimumFirmware: null,
      pin: 'any',
      touch: 'any',
      ...tokens,
    },
    characters: { roles: `${LETTERS}${DIGITS}-`, paths: `${LETTERS.toUpperCase()}${LETTERS}${DIGITS}._/-*?` },
    holders: [],
    derivationKeys: [],
  };
}
