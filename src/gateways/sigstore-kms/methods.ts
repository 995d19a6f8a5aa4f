/** The six methods of the sigstore KMS plugin protocol, each one or two calls to the agent. */
import { createHash } from 'node:crypto';
import type { AgentClient } from '../../client/client.js';
import { signStatements } from '../../client/signer.js';
import { DERIVED_ALGORITHMS, isDerivedAlgorithm } from '../../crypto/algorithms.js';
import { publicKeyPem } from '../../crypto/public-key.js';
import { Verifier } from '../../crypto/verify.js';
import { ecdsaDerFromRaw, ecdsaRawFromDer } from '../../encoding/der.js';
import { AgentError } from '../../errors/agent-error.js';
import { describe, kindOf } from '../../formats/describe.js';
import type { KeyInfo } from '../../protocol/methods.js';
import { requestMs } from '../agent-door.js';
import { keyOfReference } from '../key-reference.js';
import type { KmsRequest } from './request.js';

const [DEFAULT_ALGORITHM] = DERIVED_ALGORITHMS;
const DIGEST_BYTES = 32;

export interface KmsCall {
  readonly client: AgentClient;
  readonly request: KmsRequest;
  /** Standard input: empty where only a digest is known. */
  readonly message: Buffer;
  /** One line for the person who waits. */
  readonly say: (line: string) => void;
}

/** Answers of methods that need neither key nor agent; undefined for the others. */
export function answerAlone({ method }: KmsRequest): object | undefined {
  if (method === 'defaultAlgorithm') return { defaultAlgorithm: DEFAULT_ALGORITHM };
  return method === 'supportedAlgorithms' ? { supportedAlgorithms: DERIVED_ALGORITHMS } : undefined;
}

/** The object of the answer that is named after the method. @throws AgentError of the agent, `key.…`, `statement.…`, `verify.…` */
export async function answerKms(call: KmsCall): Promise<object> {
  const { request, client } = call;
  const name = keyOfReference(request.keyResourceId, 'cosign');
  switch (request.method) {
    case 'createKey':
      return { publicKeyPEM: pemOf((await client.call('keys.derive', { key: nameFor(name, request) })).key) };
    case 'publicKey':
      return { publicKeyPEM: pemOf((await client.call('keys.show', { key: name })).key) };
    case 'signMessage':
      return { signature: (await sign(call, name)).toString('base64') };
    case 'verifySignature':
      await verify(call, name);
      return {};
    default:
      throw new AgentError('rpc.method');
  }
}

/** @throws AgentError `usage.invalid` for an algorithm that is not ours */
function nameFor(name: string, { algorithm = DEFAULT_ALGORITHM }: KmsRequest): string {
  if (!isDerivedAlgorithm(algorithm)) {
    throw new AgentError('usage.invalid', {
      message: `algorithm: one of ${DERIVED_ALGORITHMS.join(', ')} is needed`,
    });
  }
  return algorithm === DEFAULT_ALGORITHM || name.includes('~') ? name : `${name}~${algorithm}`;
}

async function sign(call: KmsCall, key: string): Promise<Buffer> {
  const { client, request, message, say } = call;
  const payload = message.length === 0 ? digestOnly(request) : checked(message, request);
  // What is no format of ours is a blob: the agent signs its digest where a rule allows that for this key.
  const kind = payload === request.digest ? 'digest' : (kindOf(payload) ?? 'digest');
  const bytes = kind === 'digest' && payload !== request.digest ? sha256(payload) : payload;
  for (const line of describe(kind, bytes).summary) say(line);
  const { algorithm } = (await client.call('keys.show', { key })).key;
  // Verifiers take others only with a hash that cosign does not say (P-384), or not at all.
  if (!isDerivedAlgorithm(algorithm)) {
    throw new AgentError('key.usage', {
      message: `cosign signs with ${DERIVED_ALGORITHMS.join(' or ')}, not with ${algorithm}`,
    });
  }
  const timeoutMs = requestMs(request.deadline);
  const [signed] = await signStatements(client, [{ key, kind, payload: bytes }], timeoutMs);
  const signature = signed?.signature ?? Buffer.alloc(0);
  return algorithm === 'ecdsa-p256' ? ecdsaDerFromRaw(signature) : signature;
}

async function verify(call: KmsCall, key: string): Promise<void> {
  const { client, request, message } = call;
  const { publicKey } = (await client.call('keys.show', { key })).key;
  const verifier = new Verifier(Buffer.from(publicKey ?? '', 'base64'));
  const stored = request.signature ?? Buffer.alloc(0);
  const signature = verifier.algorithm === 'ecdsa-p256' ? ecdsaRawFromDer(stored) : stored;
  const isGood =
    message.length === 0
      ? verifier.verifyDigest(digestOnly(request), signature)
      : verifier.verify(checked(message, request), signature);
  if (!isGood) throw new AgentError('verify.failed');
}

/** The message, after cosign's own digest of it was found to be right. */
function checked(message: Buffer, { digest }: KmsRequest): Buffer {
  if (digest !== undefined && !digest.equals(sha256(message))) {
    throw new AgentError('statement.unrecognised', {
      message: 'the digest of the request is not the SHA-256 of the message; only SHA-256 is signed',
    });
  }
  return message;
}

function digestOnly({ digest }: KmsRequest): Buffer {
  if (digest?.length === DIGEST_BYTES) return digest;
  throw new AgentError('statement.unrecognised', {
    message: 'there is neither a message nor a SHA-256 digest',
  });
}

function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}

/** Base64 of the PEM text: the protocol carries Go byte slices. */
function pemOf(key: KeyInfo): string {
  return Buffer.from(publicKeyPem(Buffer.from(key.publicKey ?? '', 'base64'))).toString('base64');
}
