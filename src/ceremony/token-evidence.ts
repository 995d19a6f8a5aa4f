/** What a holder's token says of its root key. A card has the word of its maker, and policies that nobody can change afterwards. */
import type { AgentClient } from '../client/client.js';
import { encodePem } from '../encoding/pem.js';
import { AgentError } from '../errors/agent-error.js';
import { keyIdOfSpki, type Enrolment } from './enrolment.js';

export interface TokenEvidence {
  readonly serial: string;
  /** The key it is about, DER SubjectPublicKeyInfo in base64. */
  readonly publicKey: string;
  readonly says: Pick<Enrolment, 'pinPolicy' | 'touchPolicy' | 'attestation'>;
  /** Ids of keys on the token that derive. */
  readonly derivationKeys: readonly string[];
}

/** Of a token that attests nothing. */
const SAYS_NOTHING = { pinPolicy: 'unknown', touchPolicy: 'unknown', attestation: [] } as const;

/**
 * Asks a token before anybody enters a PIN.
 * @returns undefined for one that attests nothing
 * @throws AgentError `token.key-missing`, with how a key is made on a card; `token.attestation`
 */
export async function readTokenEvidence(
  client: AgentClient,
  token: string,
): Promise<TokenEvidence | undefined> {
  const { evidence } = await client.call('tokens.evidence', { token }).catch((thrown: unknown) => {
    throw withMakingHint(thrown);
  });
  if (evidence === null) return undefined;
  const { serial, publicKey, derivationKey, pin, touch, attestation, device } = evidence;
  const certificates = attestation === undefined || device === undefined ? [] : [attestation, device];
  return {
    serial,
    publicKey,
    says: {
      pinPolicy: pin ?? 'unknown',
      touchPolicy: touch ?? 'unknown',
      attestation: certificates.map((der) => encodePem('CERTIFICATE', Buffer.from(der, 'base64'))),
    },
    derivationKeys: derivationKey === undefined ? [] : [keyIdOfSpki(derivationKey)],
  };
}

/**
 * What goes into the enrolment of this key.
 * @throws AgentError `ceremony.token` when the token is another one than was asked
 */
export function saysOf(
  evidence: TokenEvidence | undefined,
  key: { readonly serial: string; readonly publicKey: string },
): TokenEvidence['says'] {
  if (evidence === undefined) return SAYS_NOTHING;
  if (evidence.serial === key.serial && evidence.publicKey === key.publicKey) return evidence.says;
  throw new AgentError('ceremony.token', {
    message: `enrolling: the token that signed is not the one that was asked, serial number ${evidence.serial}`,
    hint: 'leave the token where it is until the command ends, and run it again',
  });
}

/** Keys of a card are made by the program that manages it. */
function withMakingHint(thrown: unknown): unknown {
  if (!(thrown instanceof AgentError) || thrown.code !== 'token.key-missing') return thrown;
  return new AgentError(thrown.code, {
    message: thrown.message,
    hint: 'make it: ykman piv keys generate --pin-policy ONCE --touch-policy ALWAYS 9c root.pem',
    cause: thrown,
  });
}
