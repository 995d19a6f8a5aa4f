/** Metadata with its signatures: bases that are carried in, and results that are carried out. */
import { ALGORITHMS } from '../crypto/algorithms.js';
import { rawFromSpki } from '../crypto/public-key.js';
import { ecdsaRawFromDer } from '../encoding/der.js';
import { parseJsonStrict } from '../encoding/json.js';
import { AgentError } from '../errors/agent-error.js';
import { encodeEnvelope } from '../formats/dsse.js';
import { KEY_CERTIFICATE_TYPE } from '../formats/key-certificate/document.js';
import { isJsonObject, type JsonObject } from '../formats/json-object.js';
import { isSignatureBy, signatureMethod } from '../formats/notary1/signature.js';
import { envelopeOf } from '../formats/notary1/writer.js';
import { isTufSignature } from '../formats/tuf/verify.js';
import { envelopeBytes } from '../formats/tuf/writer.js';
import type { AuthorityKey, AuthorityRole } from './authority.js';
import {
  markRehearsal,
  openDocument,
  signingMessage,
  unmarkRehearsal,
  type OpenDocument,
} from './document.js';
import { sha256Hex, writeForm } from './one-form.js';
import type { RequestDocument } from './request.js';

/** A signature as a document lists it. */
export interface ListedSignature {
  readonly id: string;
  /** Hex in the encoding of the format. */
  readonly signature: string;
  /** As Notary names it; empty in TUF, where the key says it. */
  readonly method: string;
}

export interface SignedFile {
  readonly document: OpenDocument;
  readonly signatures: readonly ListedSignature[];
  /** Bytes that they are over. */
  readonly message: Buffer;
  readonly bytes: Buffer;
  readonly sha256: string;
}

export interface FileCircumstances {
  readonly ceremony: string;
  readonly rehearsal: boolean;
}

type Kind = Pick<RequestDocument, 'format' | 'role'>;

/** Reads a file. @throws AgentError `ceremony.document` */
export function readSignedFile(bytes: Buffer, kind: Kind, where: FileCircumstances): SignedFile {
  const what = `reading ${kind.role} metadata`;
  const value = parseJsonStrict(bytes, what, 'ceremony.document');
  const { signed, signatures } = isJsonObject(value) ? value : {};
  if (!isJsonObject(signed) || !Array.isArray(signatures))
    throw invalid(what, 'it has no signed and signatures');
  const document = openDocument(where.rehearsal ? unmarkRehearsal(signed) : signed, kind);
  const listed = signatures.map((one: unknown) =>
    readListed(one, kind.format === 'tuf' || where.rehearsal, what),
  );
  if (new Set(listed.map(({ id }) => id)).size !== listed.length) throw invalid(what, 'a key signs it twice');
  const message = signingMessage(document, where).bytes;
  return { document, signatures: listed, message, bytes, sha256: sha256Hex(bytes) };
}

/** The file of a document and its signatures; the same bytes for the same signatures, in whatever order they came. */
export function writeSignedFile(
  document: OpenDocument,
  signatures: readonly ListedSignature[],
  { rehearsal }: Pick<FileCircumstances, 'rehearsal'>,
): Buffer {
  const sorted = [...signatures].sort((a, b) => (a.id < b.id ? -1 : 1));
  const { content, json, payload } = document;
  if (rehearsal) {
    const listed = sorted.map(({ id, signature }) => ({ keyid: id, sig: signature }));
    return writeForm({ signatures: listed, signed: markRehearsal(json) });
  }
  if (content.format === 'certificate') {
    const dsse = sorted.map(({ id, signature }) => ({ keyid: id, sig: Buffer.from(signature, 'hex') }));
    const envelope = { payloadType: KEY_CERTIFICATE_TYPE, payload, signatures: dsse };
    return Buffer.from(encodeEnvelope(envelope), 'utf8');
  }
  if (content.format === 'tuf') {
    return envelopeBytes(
      content.document,
      sorted.map(({ id, signature }) => ({ keyid: id, sig: signature })),
    );
  }
  return envelopeOf(
    payload,
    sorted.map(({ id, signature, method }) => ({ keyid: id, method, sig: Buffer.from(signature, 'hex') })),
  );
}

/** Ids of the public keys of a role that signed, each once. */
export function signersOf(
  file: Pick<SignedFile, 'signatures' | 'message'>,
  role: AuthorityRole,
): readonly string[] {
  const found = new Set<string>();
  for (const key of role.keys) {
    const listed = file.signatures.find(({ id }) => id === key.id);
    if (listed !== undefined && isSignatureOf(key, listed, file.message)) found.add(key.keyId);
  }
  return [...found];
}

/** Whether a listed signature is one of this key. */
function isSignatureOf(
  { origin }: AuthorityKey,
  { signature, method }: ListedSignature,
  message: Buffer,
): boolean {
  if (origin.format === 'tuf') return isTufSignature(origin.key, signature, message);
  const { key } = origin;
  const named = method === '' ? signatureMethod(key.keytype) : method;
  return isSignatureBy(key, { keyid: '', method: named, sig: Buffer.from(signature, 'hex') }, message);
}

/** A signature of a ceremony, hex and DER for ECDSA, as a document lists it. @throws AgentError `verify.format` */
export function listedFor({ id, origin, spki }: AuthorityKey, signature: string): ListedSignature {
  if (origin.format === 'tuf') return { id, signature, method: '' };
  const method = signatureMethod(origin.key.keytype);
  const { algorithm } = rawFromSpki(spki);
  if (!algorithm.startsWith('ecdsa-')) return { id, signature, method };
  const coordinate = ALGORITHMS[algorithm].signatureBytes / 2;
  const raw = ecdsaRawFromDer(Buffer.from(signature, 'hex'), 'verify.format', coordinate);
  return { id, signature: raw.toString('hex'), method };
}

function readListed(value: unknown, isHex: boolean, what: string): ListedSignature {
  const { keyid, sig, method = '' } = isJsonObject(value) ? value : ({} as JsonObject);
  if (typeof keyid !== 'string' || typeof sig !== 'string' || typeof method !== 'string') {
    throw invalid(what, 'a signature lacks keyid or sig');
  }
  return { id: keyid, method, signature: isHex ? sig : Buffer.from(sig, 'base64').toString('hex') };
}

function invalid(what: string, problem: string): AgentError {
  return new AgentError('ceremony.document', { message: `${what}: ${problem}` });
}
