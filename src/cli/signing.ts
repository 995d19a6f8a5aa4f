/** What all `sign` commands share: one connection, one decision, and the public facts of the key that signed. */
import { signStatements, type Signed, type StatementToSign } from '../client/signer.js';
import { isDerivedAlgorithm, type DerivedAlgorithm } from '../crypto/algorithms.js';
import { ecdsaDerFromRaw } from '../encoding/der.js';
import { AgentError } from '../errors/agent-error.js';
import type { KeyInfo } from '../protocol/methods.js';
import { requestTimeoutMs, withAgent } from './agent-session.js';
import type { CliContext } from './context.js';

export interface PayloadToSign {
  readonly kind: string;
  readonly payload: Uint8Array;
}

export interface SignedPayload extends Signed {
  readonly key: KeyInfo;
}

export interface SignedWithKey {
  readonly key: KeyInfo;
  /** In the order of the payloads. */
  readonly signatures: readonly Signed[];
}

/** Signs all payloads with one key, or none. */
export async function signWithKey(
  context: CliContext,
  key: string,
  payloads: readonly PayloadToSign[],
): Promise<SignedWithKey> {
  const signatures = await signStatementsShown(
    context,
    payloads.map((one) => ({ ...one, key })),
  );
  const [first] = signatures;
  if (first === undefined) throw new AgentError('usage.invalid', { message: 'there is nothing to sign' });
  return { key: first.key, signatures };
}

/**
 * Signs all statements, each with its own key, in one decision. Asks for keys and signatures at once: a process that signs pays every
 * round trip.
 */
export async function signStatementsShown(
  context: CliContext,
  statements: readonly StatementToSign[],
): Promise<readonly SignedPayload[]> {
  const names = [...new Set(statements.map(({ key }) => key))];
  const [shown, signatures] = await withAgent(context, (client) =>
    Promise.all([
      Promise.all(names.map((key) => client.call('keys.show', { key }))),
      signStatements(client, statements, requestTimeoutMs(context)),
    ]),
  );
  return signatures.map((signed, index) => {
    const name = statements[index]?.key ?? '';
    const key = shown[names.indexOf(name)]?.key;
    if (key !== undefined && signed.keyId === key.keyId) return { ...signed, key };
    throw new AgentError('key.mismatch', {
      message: `signing with ${name}: the key changed meanwhile`,
      hint: 'sign again',
    });
  });
}

/** Signatures outside of SSH: DER for ECDSA (what OpenSSL, cosign and DSSE readers take), the bytes themselves for the others. */
export function encodeSignature(key: KeyInfo, signature: Buffer): Buffer {
  return key.algorithm.startsWith('ecdsa-') ? ecdsaDerFromRaw(signature) : signature;
}

/**
 * Algorithm of a key whose signatures every reader of cosign's formats takes.
 * @throws AgentError key.usage before anything is stored
 */
export function requireCosignAlgorithm(key: KeyInfo): DerivedAlgorithm {
  if (isDerivedAlgorithm(key.algorithm)) return key.algorithm;
  throw new AgentError('key.usage', {
    message: `${key.name}: readers of image signatures take no ${key.algorithm}`,
    hint: 'sign images with a P-256 key; see "touchstone key list"',
  });
}
