/** What is done at a token of a holder: one PIN, a lease for exactly these messages, and a lock at the end. */
import type { AgentClient } from '../client/client.js';
import { signStatements } from '../client/signer.js';
import { unlockToken, type ReadPin } from '../client/unlock.js';
import type { KeyAlgorithm } from '../crypto/algorithms.js';
import { rawFromSpki } from '../crypto/public-key.js';
import { asAgentError, type AgentError } from '../errors/agent-error.js';
import type { SigningMessage } from './document.js';
import type { EventOf } from './event.js';
import type { HolderToken } from './holder.js';
import type { HeldKey } from './holder-book.js';
import type { CeremonySession } from './session.js';
import { RSA_SCHEME, signatureHex } from './signing-key.js';

/** Long enough for a PIN and a touch for each document. Seconds. */
const LEASE_SECONDS = 900;
const SIGN_MS = 60_000;
const UNLOCK_MS = 120_000;

export interface SigningParts {
  readonly session: CeremonySession;
  readonly client: AgentClient;
  readonly readPin: ReadPin;
  /** Serial number, where a person allowed the last try of that token. */
  readonly useLastTry?: string | undefined;
}

/** Unlocks the token for these messages alone; it is locked again, whatever happens. */
export async function atToken<T>(
  parts: SigningParts,
  found: HolderToken,
  wanted: { readonly names: readonly string[]; readonly messages: readonly SigningMessage[] },
  work: () => Promise<T>,
): Promise<T> {
  const { session, client } = parts;
  const { held, token } = found;
  await unlock(parts, found, wanted);
  try {
    return await work();
  } catch (thrown) {
    const { code, message } = asAgentError(thrown);
    session.transcript.add(held.holder, { event: 'error', code, message });
    throw thrown;
  } finally {
    await client.call('lock', { token });
    noteToken(session, found, 'removed');
  }
}

/** @returns hex, DER for ECDSA */
export async function signMessage(
  client: AgentClient,
  { publicKey }: Pick<HeldKey, 'publicKey'>,
  { name, message }: { readonly name: string; readonly message: SigningMessage },
): Promise<{ readonly algorithm: KeyAlgorithm; readonly signature: string }> {
  const { algorithm } = rawFromSpki(Buffer.from(publicKey, 'base64'));
  const { kind, bytes, rsaScheme = RSA_SCHEME } = message;
  const scheme = algorithm === 'rsa-3072' ? rsaScheme : undefined;
  const [signed] = await signStatements(client, [{ key: name, kind, payload: bytes, scheme }], SIGN_MS);
  return { algorithm, signature: signatureHex(algorithm, signed?.signature ?? Buffer.alloc(0)) };
}

async function unlock(
  { session, client, readPin, useLastTry }: SigningParts,
  { held, token }: HolderToken,
  wanted: { readonly names: readonly string[]; readonly messages: readonly SigningMessage[] },
): Promise<void> {
  const note = (result: EventOf<'pin'>['result'], triesLeft: number | null): void => {
    session.transcript.add(held.holder, {
      event: 'pin',
      holder: held.holder,
      serial: held.serial,
      result,
      triesLeft,
    });
  };
  try {
    await unlockToken(client, {
      token,
      readPin,
      lease: {
        keys: [...new Set(wanted.names)],
        kinds: [...new Set(wanted.messages.map(({ kind }) => kind))],
        uses: wanted.messages.length,
        seconds: LEASE_SECONDS,
        ...(useLastTry === undefined ? {} : { useLastTry }),
      },
      timeoutMs: UNLOCK_MS,
    });
  } catch (thrown) {
    const { code } = asAgentError(thrown);
    if (code.startsWith('token.pin-')) note('refused', code === 'token.pin-locked' ? 0 : null);
    throw thrown;
  }
  note('accepted', null);
}

/** Writes down that a token came or went. */
export function noteToken(
  session: CeremonySession,
  { held, status }: HolderToken,
  state: 'inserted' | 'removed',
): void {
  session.transcript.add(held.holder, {
    event: 'token',
    state,
    holder: held.holder,
    serial: held.serial,
    model: status.model ?? held.model,
    firmware: /^\d{1,3}\.\d{1,3}\.\d{1,3}$/.exec(status.firmware ?? '')?.[0] ?? null,
    triesLeft: status.triesLeft === 'last' ? 1 : status.triesLeft === 'locked' ? 0 : null,
    why: '',
  });
}

/** Writes down that a token was not taken. */
export function noteRefused(session: CeremonySession, held: HeldKey, error: AgentError): void {
  session.transcript.add(held.holder, {
    event: 'token',
    state: 'refused',
    holder: held.holder,
    serial: held.serial,
    model: held.model,
    firmware: null,
    triesLeft: null,
    why: error.message,
  });
}
