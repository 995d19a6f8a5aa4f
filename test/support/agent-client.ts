/** Signing through an open connection, as a program would: statements, and what became of them. */
import { createHash } from 'node:crypto';
import { connectAgent, type AgentClient } from '../../src/client/client.js';
import { signStatements, type Signed, type StatementToSign } from '../../src/client/signer.js';
import { asAgentError } from '../../src/errors/agent-error.js';
import { verifySignature } from '../../src/crypto/verify.js';
import { buildSignedData } from '../../src/formats/sshsig.js';

const TIMEOUT_MS = 15_000;

export function connectTo(agent: { readonly socket: string }): Promise<AgentClient> {
  const uid = process.getuid?.() ?? 0;
  return connectAgent({ socket: agent.socket, uid, timeoutMs: TIMEOUT_MS, name: 'touchstone-tests' });
}

/** What `touchstone sign file` would send for a file with this content. */
export function fileStatement(key: string, content: string, namespace = 'file'): StatementToSign {
  const hash = createHash('sha512').update(content).digest();
  const payload = buildSignedData({ namespace, hashAlgorithm: 'sha512', hash });
  return { key, kind: `sshsig:${namespace}`, payload };
}

export async function signOne(client: AgentClient, statement: StatementToSign): Promise<Signed> {
  const [signed] = await signStatements(client, [statement], TIMEOUT_MS);
  if (signed === undefined) throw new Error('an empty reply');
  return signed;
}

/** `signed`, or the code of the refusal. */
export async function outcomeOf(client: AgentClient, statement: StatementToSign): Promise<string> {
  try {
    await signOne(client, statement);
    return 'signed';
  } catch (error) {
    return asAgentError(error).code;
  }
}

/** Whether `signed` is a signature of the P-256 key `publicKey` (DER, base64) over the statement. */
export function isSignatureOf(
  publicKey: string | undefined,
  statement: StatementToSign,
  signed: Signed,
): boolean {
  const spki = Buffer.from(publicKey ?? '', 'base64');
  return verifySignature(spki, 'ecdsa-p256', statement.payload, signed.signature);
}
