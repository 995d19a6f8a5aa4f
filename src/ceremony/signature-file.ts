/** `sig-ROLE-vN-KEYID16.json`: one signature of one key over one document. Files are made apart, merged in any order, and added twice without harm. */
import { z } from 'zod';
import { AgentError } from '../errors/agent-error.js';
import {
  algorithmField,
  ceremonyIdField,
  holderField,
  serialField,
  sha256Field,
  timeField,
  versionField,
  wordsField,
} from './fields.js';
import { readForm, sha256Hex, writeForm, type Loaded } from './one-form.js';

const signatureSchema = z
  .strictObject({
    format: z.literal('touchstone-ceremony-signature'),
    version: z.literal(1),
    ceremony: ceremonyIdField,
    /** SHA-256 of request.json. */
    request: sha256Field,
    /** Id of the document in the request, its role and version. */
    document: z.string().min(1).max(300),
    role: z.enum(['root', 'targets']),
    documentVersion: versionField,
    /** Of the bytes that were signed. */
    payloadSha256: sha256Field,
    holder: holderField,
    keyId: sha256Field,
    algorithm: algorithmField,
    /** Hex; DER for ECDSA. */
    signature: z.string().regex(/^(?:[0-9a-f]{2}){32,512}$/),
    token: z.strictObject({ serial: serialField, model: wordsField }).readonly(),
    /** What the clock of that machine said. */
    time: timeField,
    /** Of this file without this field: nothing else covers serial number and time. */
    sha256: sha256Field,
  })
  .readonly();

export type SignatureFile = z.infer<typeof signatureSchema>;

/** The file with its own checksum. */
export function sealSignature(facts: Omit<SignatureFile, 'format' | 'version' | 'sha256'>): SignatureFile {
  const body = { format: 'touchstone-ceremony-signature', version: 1, ...facts } as const;
  return { ...body, sha256: sha256Hex(writeForm(body)) };
}

/** @throws AgentError `ceremony.file`, also when its checksum is another one */
export function readSignatureFile(bytes: Buffer, file: string): Loaded<SignatureFile> {
  const loaded = readForm(bytes, signatureSchema, file);
  const { sha256, ...body } = loaded.value;
  if (sha256Hex(writeForm(body)) === sha256) return loaded;
  throw new AgentError('ceremony.file', {
    message: `reading ${file}: its checksum is another one`,
    details: { file },
  });
}
