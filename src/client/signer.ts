/** Signing one statement, or several in one decision, over an open connection. */
import type { RsaScheme } from '../crypto/algorithms.js';
import { AgentError } from '../errors/agent-error.js';
import type { AgentClient } from './client.js';

/** Added to the agent's own deadline, so that its reason arrives before ours. Milliseconds. */
const REPLY_GRACE_MS = 1_000;

export interface StatementToSign {
  readonly key: string;
  /** For example `sshsig:file`. */
  readonly kind: string;
  /** The exact bytes of that kind. */
  readonly payload: Uint8Array;
  /** RSA keys only; PKCS#1 v1.5 with SHA-256 when left out. */
  readonly scheme?: RsaScheme | undefined;
  /** Hex SHA-256 of another content of this version that was signed, and that the server shows it did not store. */
  readonly notStored?: string | undefined;
}

export interface Signed {
  /** r||s (64 bytes) for ECDSA, 64 bytes for Ed25519. */
  readonly signature: Buffer;
  readonly keyId: string;
  /** Sequence of the record in the audit log. */
  readonly auditId: number;
}

/**
 * Signs all statements or none; results in the order of the requests.
 * @throws AgentError of the agent, or limits.deadline
 */
export async function signStatements(
  client: AgentClient,
  statements: readonly StatementToSign[],
  timeoutMs: number,
): Promise<readonly Signed[]> {
  const requests = statements.map(({ key, kind, payload, scheme, notStored }) => ({
    key,
    kind,
    payload: Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('base64'),
    ...(scheme === undefined ? {} : { scheme }),
    ...(notStored === undefined ? {} : { notStored }),
  }));
  const reply = await client.call('sign', { requests, timeoutMs }, { timeoutMs: timeoutMs + REPLY_GRACE_MS });
  if (reply.signatures.length !== statements.length) {
    throw new AgentError('rpc.request', {
      message: 'sign: the agent sent another number of signatures than asked for',
    });
  }
  return reply.signatures.map((one) => ({
    signature: Buffer.from(one.signature, 'base64'),
    keyId: one.keyId,
    auditId: one.auditId,
  }));
}
