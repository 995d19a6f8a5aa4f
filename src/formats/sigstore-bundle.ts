/**
 * Sigstore bundle v0.3 around one DSSE signature by a plain key: what cosign 3 and sigstore libraries store and read. Nothing of a
 * transparency log is in it.
 */
import { encodeBase64 } from '../encoding/base64.js';
import { parseJsonStrict } from '../encoding/json.js';
import { keyIdOf } from '../crypto/key-id.js';
import { AgentError } from '../errors/agent-error.js';
import { decodeEnvelope, type DsseEnvelope } from './dsse.js';
import { isJsonObject } from './json-object.js';

export const BUNDLE_TYPE = 'application/vnd.dev.sigstore.bundle.v0.3+json';
const BUNDLE_FAMILY = 'application/vnd.dev.sigstore.bundle';

export interface KeyedEnvelope {
  readonly payloadType: string;
  readonly payload: Uint8Array;
  /** DER for ECDSA. */
  readonly signature: Uint8Array;
  /** DER SubjectPublicKeyInfo of the signer; only its hash goes into the bundle, as a hint. */
  readonly spki: Uint8Array;
}

/** The bundle as JSON bytes. */
export function encodeBundle(envelope: KeyedEnvelope): Buffer {
  const hint = Buffer.from(keyIdOf(envelope.spki), 'hex').toString('base64');
  const bundle = {
    mediaType: BUNDLE_TYPE,
    verificationMaterial: { publicKey: { hint }, tlogEntries: [] },
    dsseEnvelope: {
      payload: encodeBase64(envelope.payload),
      payloadType: envelope.payloadType,
      signatures: [{ sig: encodeBase64(envelope.signature) }],
    },
  };
  return Buffer.from(JSON.stringify(bundle));
}

/** Whether an artifact type is a bundle of any version. */
export function isBundleType(type: string): boolean {
  return type.startsWith(BUNDLE_FAMILY);
}

/**
 * The envelope in a bundle. Who signed is for the caller to find out: the hint is not trusted.
 * @throws AgentError `verify.format`, also for a bundle with a bare signature instead of an envelope.
 */
export function decodeBundle(content: Buffer): DsseEnvelope {
  const bundle = parseJsonStrict(content, 'reading a sigstore bundle', 'verify.format');
  if (!isJsonObject(bundle) || typeof bundle['mediaType'] !== 'string' || !isBundleType(bundle['mediaType']))
    throw malformed('it has no media type of a bundle');
  if (!isJsonObject(bundle['dsseEnvelope'])) throw malformed('there is no DSSE envelope');
  const envelope = decodeEnvelope(JSON.stringify(bundle['dsseEnvelope']));
  if (envelope.signatures.length !== 1) throw malformed('exactly one signature is needed');
  return envelope;
}

function malformed(problem: string): AgentError {
  return new AgentError('verify.format', { message: `reading a sigstore bundle: ${problem}` });
}
