/**
 * Getting a PIN to the keeper (design, section 2): the keeper's one-time key, HPKE base mode of RFC 9180, and bytes that are overwritten
 * here as soon as they are sealed. What stands between client and keeper sees ciphertext only.
 */
import { seal } from '../crypto/hpke.js';
import type { Params, Result } from '../protocol/methods.js';
import type { AgentClient } from './client.js';

export type UnlockAttempt = Result<'unlock.begin'>;

/** Hands over the PIN for the token that the attempt names. The buffer is overwritten by whoever asked. */
export type ReadPin = (attempt: UnlockAttempt) => Promise<Buffer>;

export interface SealedAttempt {
  readonly attempt: UnlockAttempt;
  readonly pin: { readonly attempt: string; readonly enc: string; readonly ciphertext: string };
}

export type LeaseRequest = Omit<Params<'unlock.finish'>, 'pin'>;

/**
 * Asks the keeper for a one-time key, reads the PIN and seals it. Good for one use within 60 s.
 * @throws AgentError of unlock.begin or of `readPin`
 */
export async function sealPin(
  client: AgentClient,
  token: string | undefined,
  readPin: ReadPin,
): Promise<SealedAttempt> {
  const attempt = await client.call('unlock.begin', token === undefined ? {} : { token });
  const pin = await readPin(attempt);
  try {
    const sealed = seal(Buffer.from(attempt.publicKey, 'base64'), pin, Buffer.from(attempt.info, 'base64'));
    return {
      attempt,
      pin: {
        attempt: attempt.attempt,
        enc: Buffer.from(sealed.enc).toString('base64'),
        ciphertext: Buffer.from(sealed.ciphertext).toString('base64'),
      },
    };
  } finally {
    pin.fill(0);
  }
}

export interface UnlockOptions {
  readonly token?: string | undefined;
  readonly readPin: ReadPin;
  readonly lease: LeaseRequest;
  /** Milliseconds for the token to derive and load. */
  readonly timeoutMs: number;
}

/** Unlocks one token: one PIN entry, one attempt. */
export async function unlockToken(
  client: AgentClient,
  options: UnlockOptions,
): Promise<Result<'unlock.finish'>> {
  const sealed = await sealPin(client, options.token, options.readPin);
  return client.call(
    'unlock.finish',
    { ...options.lease, pin: sealed.pin },
    { timeoutMs: options.timeoutMs },
  );
}
