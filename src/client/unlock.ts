/**
 * Getting a PIN to the keeper (design, section 2): the keeper's one-time key, HPKE base mode of RFC 9180, and bytes that are overwritten
 * here as soon as they are sealed. What stands between client and keeper sees ciphertext only.
 */
import { seal } from '../crypto/hpke.js';
import { LIMITS } from '../protocol/limits.js';
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

/** Where the person sits whom the agent has asked. */
export type PromptPlace = Params<'unlock.ask'>['place'];

/**
 * Asks the keeper for a one-time key, reads the PIN and seals it. Good for one use within 60 s.
 * @throws AgentError of unlock.begin or of `readPin`
 */
export async function sealPin(
  client: AgentClient,
  token: string | undefined,
  readPin: ReadPin,
): Promise<SealedAttempt> {
  return sealFor(await begin(client, token, undefined), readPin);
}

function begin(
  client: AgentClient,
  token: string | undefined,
  waitSeconds: number | undefined,
): Promise<UnlockAttempt> {
  const params = {
    ...(token === undefined ? {} : { token }),
    ...(waitSeconds === undefined ? {} : { waitSeconds }),
  };
  const timeoutMs = LIMITS.defaultDeadlineMs + (waitSeconds ?? 0) * 1000;
  return client.call('unlock.begin', params, { timeoutMs });
}

async function sealFor(attempt: UnlockAttempt, readPin: ReadPin): Promise<SealedAttempt> {
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
  /** How long to wait for a token that is not there; not at all when left out. */
  readonly waitSeconds?: number | undefined;
  readonly readPin: ReadPin;
  readonly lease: LeaseRequest;
  /** Given: the agent asks for the PIN where its configuration says so, instead of `readPin`. */
  readonly place?: PromptPlace | undefined;
  /** The agent begins to ask, with the program of its configuration. */
  readonly onAsking?: ((how: NonNullable<UnlockAttempt['asks']>) => void) | undefined;
  /** Milliseconds for the token to derive and load. */
  readonly timeoutMs: number;
}

/** Unlocks one token: one PIN entry, one attempt; where the agent asks, as many as it lets a person have. */
export async function unlockToken(
  client: AgentClient,
  { token, waitSeconds, readPin, lease, place, onAsking, timeoutMs }: UnlockOptions,
): Promise<Result<'unlock.finish'>> {
  const attempt = await begin(client, token, waitSeconds);
  if (place !== undefined && attempt.asks !== undefined) {
    onAsking?.(attempt.asks);
    return client.call('unlock.ask', { ...lease, attempt: attempt.attempt, place }, { timeoutMs });
  }
  const { pin } = await sealFor(attempt, readPin);
  return client.call('unlock.finish', { ...lease, pin }, { timeoutMs });
}
