/** A document of a ceremony opened: what it says, and the exact bytes that are signed for it. */
import type { RsaScheme } from '../crypto/algorithms.js';
import { canonicalJson } from '../encoding/canonical-json.js';
import { pae } from '../encoding/dsse-pae.js';
import { AgentError, asAgentError } from '../errors/agent-error.js';
import type { JsonObject } from '../formats/json-object.js';
import type { RootDocument } from '../formats/notary1/document.js';
import { readSignedBytes } from '../formats/notary1/reader.js';
import { tufCanonical } from '../formats/tuf/canonical.js';
import type { TufRoot, TufTargets } from '../formats/tuf/document.js';
import {
  KEY_CERTIFICATE_TYPE,
  parseKeyCertificate,
  type KeyCertificate,
} from '../formats/key-certificate/document.js';
import { readSigned } from '../formats/tuf/reader.js';
import { notaryAuthority, tufAuthority, type Authority } from './authority.js';
import { writeForm } from './one-form.js';
import type { RequestDocument } from './request.js';

/** DSSE payload type of everything that a rehearsal signs. */
const REHEARSAL_TYPE = 'application/vnd.touchstone.ceremony-rehearsal+json';
/** In front of `_type`, so that no reader takes the document for a real one. */
const REHEARSAL_MARK = 'REHEARSAL-';

export type DocumentContent =
  | { readonly format: 'tuf'; readonly document: TufRoot | TufTargets }
  | { readonly format: 'notary1'; readonly document: RootDocument }
  | { readonly format: 'certificate'; readonly document: KeyCertificate };

export interface OpenDocument {
  readonly version: number;
  readonly expires: string;
  /** Canonical form of the document. */
  readonly payload: Buffer;
  readonly json: JsonObject;
  readonly content: DocumentContent;
  /** What a root says about keys; undefined for anything else. */
  readonly authority: Authority | undefined;
}

/** What a key is asked to sign, and as what. */
export interface SigningMessage {
  /** Kind by which the agent is asked. */
  readonly kind: string;
  readonly bytes: Buffer;
  /** How an RSA key signs it, where its readers want something else than `RSA_SCHEME`. */
  readonly rsaScheme?: RsaScheme | undefined;
}

/** Opens the `signed` object of a document. @throws AgentError `ceremony.document` naming what is wrong */
export function openDocument(
  json: JsonObject,
  { format, role }: Pick<RequestDocument, 'format' | 'role'>,
): OpenDocument {
  const what = `reading ${role} metadata`;
  try {
    return openers[format](json, what, role);
  } catch (thrown) {
    const { message } = asAgentError(thrown);
    throw new AgentError('ceremony.document', { message, cause: thrown });
  }
}

/** The bytes that every signature of this document is over. */
export function signingMessage(
  { payload, json, content }: OpenDocument,
  { ceremony, rehearsal }: { readonly ceremony: string; readonly rehearsal: boolean },
): SigningMessage {
  if (rehearsal) {
    const body = writeForm({ ceremony, signed: markRehearsal(json) });
    return { kind: `dsse:${REHEARSAL_TYPE}`, bytes: pae(REHEARSAL_TYPE, body) };
  }
  switch (content.format) {
    case 'tuf':
      return { kind: `tuf.${content.document.type}`, bytes: payload };
    case 'notary1':
      return { kind: `notary.${content.document.type}`, bytes: payload };
    case 'certificate':
      return {
        kind: `dsse:${KEY_CERTIFICATE_TYPE}`,
        bytes: pae(KEY_CERTIFICATE_TYPE, payload),
        rsaScheme: 'rsa-pkcs1-sha256',
      };
  }
}

/** The document with a type that nobody reads. */
export function markRehearsal(json: JsonObject): JsonObject {
  const { _type: type } = json;
  return { ...json, _type: `${REHEARSAL_MARK}${typeof type === 'string' ? type : ''}` };
}

/** The document as it would be in earnest. @throws AgentError `ceremony.document` for one that is not marked */
export function unmarkRehearsal(json: JsonObject): JsonObject {
  const { _type: type } = json;
  if (typeof type === 'string' && type.startsWith(REHEARSAL_MARK)) {
    return { ...json, _type: type.slice(REHEARSAL_MARK.length) };
  }
  throw new AgentError('ceremony.document', {
    message: 'reading a document of a rehearsal: it is not marked as one',
  });
}

type Opener = (json: JsonObject, what: string, role: RequestDocument['role']) => OpenDocument;

const openers: Readonly<Record<RequestDocument['format'], Opener>> = {
  tuf: openTuf,
  notary1: openNotary,
  certificate: openCertificate,
};

function openTuf(json: JsonObject, what: string, role: RequestDocument['role']): OpenDocument {
  const payload = tufCanonical(json, what);
  const document = readSigned(payload);
  if (document.type === 'snapshot' || document.type === 'timestamp' || document.type !== role) {
    throw new AgentError('ceremony.document', { message: `${what}: it is metadata of another role` });
  }
  const authority = document.type === 'root' ? tufAuthority(document) : undefined;
  const { version, expires } = document;
  return { version, expires, payload, json, content: { format: 'tuf', document }, authority };
}

function openNotary(json: JsonObject, what: string): OpenDocument {
  const payload = Buffer.from(canonicalJson(json, what, 'ceremony.document'), 'utf8');
  const document = readSignedBytes(payload, 'root', what, 'ceremony.document');
  const { version, expires } = document;
  return {
    version,
    expires,
    payload,
    json,
    content: { format: 'notary1', document },
    authority: notaryAuthority(document),
  };
}

function openCertificate(json: JsonObject, what: string): OpenDocument {
  const payload = Buffer.from(canonicalJson(json, what, 'ceremony.document'), 'utf8');
  const document = parseKeyCertificate(payload);
  const content = { format: 'certificate', document } as const;
  return { version: 1, expires: document.notAfter, payload, json, content, authority: undefined };
}
