/** Which token derives, and what a login to it takes when it is an OTP slot. */
import { encodeContext } from '../crypto/derive.js';
import { AgentError } from '../errors/agent-error.js';
import type { KeyringAnchor } from '../keys/key-record.js';
import type { OtpLoginParams } from '../tokenhost/messages.js';
import type { TokenUnit } from './token-unit.js';

/** The leaf that seals the audit log and derived additions to the keyring. */
export const AUDIT_FIELDS = {
  repository: 'touchstone/agent',
  role: 'audit',
  algorithm: 'ecdsa-p256',
  epoch: 1,
  index: 0,
} as const;

/**
 * Whether the token holds the derivation key. An OTP slot is known by the check value at login, not by the key that it is in:
 * a spare with the same secret is as good.
 */
export function holdsDerivation(unit: TokenUnit, { derivation }: KeyringAnchor): boolean {
  if (derivation.backend === 'otp') return unit.config.kind === 'yubikey-otp';
  return unit.status().uri === derivation.home.token;
}

/**
 * Why nothing can be derived now; a card is locked again by the unlock itself, so another one of that kind would not help.
 * @param repository that a key was to be derived for
 */
export function derivationLocked(
  units: Iterable<TokenUnit>,
  anchor: KeyringAnchor,
  repository: string,
): AgentError {
  const isCard = [...units].some(
    (unit) => unit.config.kind === 'yubikey-piv' && holdsDerivation(unit, anchor),
  );
  return new AgentError('token.locked', {
    message: 'the derivation token is locked',
    details: { uri: anchor.derivation.home.token },
    ...(isCard
      ? {
          hint: `a card stays open under a lease that names its root: touchstone unlock --key ${repository}#root`,
        }
      : {}),
  });
}

/**
 * The check value stands over the context of the audit leaf: that one is derived at each unlock, so its touch is already paid.
 * @param domain of the configuration, for the first keyring
 */
export function otpLogin(
  anchor: KeyringAnchor | undefined,
  domain: string,
  enrol: OtpLoginParams['enrol'],
): OtpLoginParams {
  const trusted = anchor?.domain ?? domain;
  return {
    domain: trusted,
    context: encodeContext({ domain: trusted, ...AUDIT_FIELDS }).toString('base64'),
    check: anchor?.derivation.check,
    enrol,
  };
}
