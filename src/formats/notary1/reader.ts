/**
 * Bytes to documents. Tolerant where real repositories are odd (null for an empty list, fields of later releases, keys whose id does not
 * fit are passed over), strict in everything a decision rests on. What a signature covers is the canonical form of all that was read,
 * unknown fields included.
 */
import { parseJsonStrict } from '../../encoding/json.js';
import { canonicalJson } from '../../encoding/canonical-json.js';
import { decodeBase64 } from '../../encoding/base64.js';
import { AgentError } from '../../errors/agent-error.js';
import type { ErrorCode } from '../../errors/codes.js';
import { isJsonObject } from '../json-object.js';
import type { NotaryDocument } from './document.js';
import { readBody } from './document-reader.js';
import type { NotarySignature } from './signature.js';

/** Longer than any honest signature or key id. */
const MAX_TEXT = 8_192;
const MAX_SIGNATURES = 1_024;

export interface SignedDocument<T extends NotaryDocument = NotaryDocument> {
  readonly document: T;
  /** Canonical form of `signed`: what the signatures are over. */
  readonly signedBytes: Buffer;
  readonly signatures: readonly NotarySignature[];
  /** The file as it came. */
  readonly file: Buffer;
}

/**
 * Reads a metadata file.
 * @param type what it has to be
 * @throws AgentError `notary.document` naming the field
 */
export function readEnvelope<K extends NotaryDocument['type']>(
  file: Buffer,
  type: K,
): SignedDocument<Extract<NotaryDocument, { type: K }>> {
  const what = `reading ${type} metadata`;
  const code = 'notary.document';
  const value = parseJsonStrict(file, what, code);
  if (!isJsonObject(value)) throw new AgentError(code, { message: `${what}: not an object` });
  const { signed, signatures } = value;
  const signedBytes = Buffer.from(canonicalJson(signed, what, code), 'utf8');
  return {
    document: readBody(signed, type, { what, code }),
    signedBytes,
    signatures: readSignatures(signatures, what),
    file,
  };
}

/**
 * Reads canonical bytes, before anybody signed them. The bytes must be canonical, and hold no field that we do not know: a server would
 * drop it and the signature with it.
 * @throws AgentError `code`
 */
export function readSignedBytes<K extends NotaryDocument['type']>(
  bytes: Buffer,
  type: K,
  what: string,
  code: ErrorCode,
): Extract<NotaryDocument, { type: K }> {
  const value = parseJsonStrict(bytes, what, code);
  if (!Buffer.from(canonicalJson(value, what, code), 'utf8').equals(bytes)) {
    throw new AgentError(code, { message: `${what}: it is not canonical JSON` });
  }
  return readBody(value, type, { what, code });
}

function readSignatures(value: unknown, what: string): readonly NotarySignature[] {
  if (!Array.isArray(value) || value.length > MAX_SIGNATURES) {
    throw new AgentError('notary.document', {
      message: `${what}: signatures is not a list of at most ${MAX_SIGNATURES}`,
    });
  }
  return value.map((one: unknown) => {
    if (isJsonObject(one)) {
      const { keyid, method, sig } = one;
      if (isShortText(keyid) && isShortText(method) && isShortText(sig)) {
        return { keyid, method, sig: decodeBase64(sig, `${what}: sig`, 'notary.document') };
      }
    }
    throw new AgentError('notary.document', { message: `${what}: a signature lacks keyid, method or sig` });
  });
}

function isShortText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_TEXT;
}
