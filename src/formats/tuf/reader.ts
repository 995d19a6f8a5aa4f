/**
 * Bytes to documents. Strict in everything that clients understand differently (numbers that are no integers, keys that occur twice, times
 * that are none), tolerant of what they all keep: fields of others. What a signature covers is the canonical form of all that was read.
 */
import { parseCanonicalJson } from '../../encoding/canonical-json.js';
import { parseJsonStrict } from '../../encoding/json.js';
import { AgentError } from '../../errors/agent-error.js';
import { isJsonObject } from '../json-object.js';
import { tufCanonical } from './canonical.js';
import type {
  TufDocument,
  TufDocumentOf,
  TufEnvelope,
  TufRoot,
  TufSignature,
  TufTargets,
  TufType,
} from './document.js';
import { readDocument, type ReadingPlace } from './document-reader.js';

/** Longer than any honest signature or key id. */
const MAX_TEXT = 8_192;
const MAX_SIGNATURES = 1_024;

/** Reads a metadata file of any type. @throws AgentError `tuf.document` naming the field */
export function readTuf(bytes: Buffer): TufEnvelope {
  const place: ReadingPlace = { what: 'reading TUF metadata', code: 'tuf.document' };
  const value = parseJsonStrict(bytes, place.what, place.code, 'integers');
  if (!isJsonObject(value)) throw invalid('it is not an object');
  const { signed } = value;
  // What has no canonical form verifies nowhere, and is better refused before anybody decides by it.
  tufCanonical(signed, place.what);
  return {
    signed: readDocument(signed, place),
    signatures: readSignatures(value['signatures']),
    raw: value,
  };
}

/** @throws AgentError `tuf.document` */
export function readTufRoot(bytes: Buffer): TufEnvelope<TufRoot> {
  return readAs(bytes, 'root');
}

/** The top-level targets or a delegated role. @throws AgentError `tuf.document` */
export function readTufTargets(bytes: Buffer): TufEnvelope<TufTargets> {
  return readAs(bytes, 'targets');
}

/**
 * Reads canonical bytes, before anybody signed them. They must be canonical: others are signed by nobody.
 * @throws AgentError of the place, `tuf.document` where none is given
 */
export function readSigned(
  bytes: Buffer,
  place: ReadingPlace = { what: 'reading what is to be signed', code: 'tuf.document' },
): TufDocument {
  return readDocument(parseCanonicalJson(bytes, place.what, place.code), place);
}

/** Each key id at most once: with it twice, the file is invalid to every client. @throws AgentError `tuf.document` */
export function requireDistinct(signatures: readonly TufSignature[]): void {
  if (new Set(signatures.map(({ keyid }) => keyid)).size !== signatures.length) {
    throw invalid('signatures names a key twice');
  }
}

function readAs<K extends TufType>(bytes: Buffer, type: K): TufEnvelope<TufDocumentOf<K>> {
  const envelope = readTuf(bytes);
  if (isOfType(envelope, type)) return envelope;
  throw invalid(`it is ${envelope.signed.type} where ${type} is needed`);
}

function isOfType<K extends TufType>(
  envelope: TufEnvelope,
  type: K,
): envelope is TufEnvelope<TufDocumentOf<K>> {
  return envelope.signed.type === type;
}

function readSignatures(value: unknown): readonly TufSignature[] {
  if (!Array.isArray(value) || value.length > MAX_SIGNATURES) {
    throw invalid(`signatures is not a list of at most ${MAX_SIGNATURES}`);
  }
  const signatures = value.map((one: unknown) => {
    if (isJsonObject(one)) {
      const { keyid, sig } = one;
      if (isShortText(keyid) && isShortText(sig)) return { keyid, sig, raw: one };
    }
    throw invalid('a signature lacks keyid or sig');
  });
  requireDistinct(signatures);
  return signatures;
}

function isShortText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_TEXT;
}

function invalid(problem: string): AgentError {
  return new AgentError('tuf.document', { message: `reading TUF metadata: ${problem}` });
}
