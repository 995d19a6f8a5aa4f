/** Signatures that were made, and whether a client gets from the first root to the last. */
import { asAgentError } from '../../errors/agent-error.js';
import { certificateRoots, verifyKeyCertificate } from '../../formats/key-certificate/verify.js';
import { readTufRoot } from '../../formats/tuf/reader.js';
import { walkRoots } from '../../formats/tuf/root-chain.js';
import { authoritiesOf, listedSignatures } from '../board.js';
import { signingMessage } from '../document.js';
import type { CeremonyFacts, DocumentFacts } from '../facts.js';
import { signatureFile } from '../file-names.js';
import { sha256Hex } from '../one-form.js';
import type { SignatureFile } from '../signature-file.js';
import { readSignedFile, signersOf, writeSignedFile } from '../signed-file.js';
import { isSignedBy } from '../signing-key.js';
import { brokenStep } from './base.js';
import { fail, pass, perDocument, type Check } from './check.js';

/** Every signature file is for this request, by a key that may sign, and verifies. */
export const signatureValid: Check = (facts) =>
  facts.signatures.map(({ value }) => {
    const problem = signatureProblem(value, facts);
    const name = signatureFile(value, facts.request.value.rehearsal);
    return problem === undefined
      ? pass('SIGNATURE-VALID', name, `signed by ${facts.holders.nameOf(value.keyId)}`)
      : fail('SIGNATURE-VALID', name, problem);
  });

/** What is wrong with one signature file, if anything. */
export function signatureProblem(file: SignatureFile, facts: CeremonyFacts): string | undefined {
  const { request, documents, holders } = facts;
  if (file.ceremony !== request.value.id) return `it is of ceremony ${file.ceremony}`;
  if (file.request !== request.sha256) return 'it is of another request';
  const document = documents.find(({ order }) => order.id === file.document);
  if (document === undefined) return 'it is of a document that the request does not have';
  const { order, proposed } = document;
  if (order.role !== file.role || order.version !== file.documentVersion)
    return 'it is of another role or version';
  if (sha256Hex(proposed.payload) !== file.payloadSha256) return 'it is of other bytes';
  const key = authoritiesOf(document)
    .flatMap((one) => one.keys.keys)
    .find(({ keyId }) => keyId === file.keyId);
  if (key === undefined) return `${holders.nameOf(file.keyId)} may not sign it`;
  const held = holders.find(file.keyId);
  if (held !== undefined && (held.serial !== file.token.serial || held.holder !== file.holder)) {
    return `the key is that of ${held.holder} on ${held.serial}, the file says ${file.holder} on ${file.token.serial}`;
  }
  const { bytes, rsaScheme } = signingMessage(proposed, circumstancesOf(facts));
  const verifier = { publicKey: key.spki.toString('base64'), algorithm: file.algorithm };
  return isSignedBy(verifier, bytes, file.signature, rsaScheme) ? undefined : 'the signature does not verify';
}

/** From the oldest root that was carried in to the new one, as clients do it. */
export const clientWalk: Check = perDocument(
  'CLIENT-WALK',
  'a client gets to it from every root that came before',
  (document, facts) => {
    const { order, base, proposed } = document;
    const where = circumstancesOf(facts);
    const signatures = facts.signatures.map(({ value }) => value);
    try {
      const bytes = writeSignedFile(proposed, listedSignatures(document, signatures), where);
      if (order.format === 'certificate') return uncertified(document, bytes, where.rehearsal);
      const file = readSignedFile(bytes, order, where);
      if (order.role === 'targets') return unsigned(document, file);
      const broken = brokenStep([...base, file]);
      if (broken !== undefined || order.format !== 'tuf' || where.rehearsal) return broken;
      const [first, ...next] = [...base.map((one) => one.bytes), bytes].map(readTufRoot);
      if (first !== undefined) walkRoots(first, next);
      return undefined;
    } catch (thrown) {
      return asAgentError(thrown).message;
    }
  },
);

/** As an agent judges it that has these roots. */
function uncertified({ certifiers }: DocumentFacts, bytes: Buffer, rehearsal: boolean): string | undefined {
  if (certifiers === undefined) return 'nobody is named who certifies';
  if (rehearsal) return undefined;
  const keys = certifiers.keys.map(({ spki }) => spki);
  verifyKeyCertificate(bytes, certificateRoots(keys, certifiers.threshold));
  return undefined;
}

/** Of which ceremony documents are signed, and whether in earnest. */
export function circumstancesOf({ request }: CeremonyFacts): {
  readonly ceremony: string;
  readonly rehearsal: boolean;
} {
  return { ceremony: request.value.id, rehearsal: request.value.rehearsal };
}

function unsigned(document: DocumentFacts, file: ReturnType<typeof readSignedFile>): string | undefined {
  const [authority] = authoritiesOf(document);
  if (authority === undefined) return 'nobody is named who could sign it';
  const good = signersOf(file, authority.keys).length;
  return good >= authority.keys.threshold
    ? undefined
    : `the targets have ${good} of ${authority.keys.threshold} signatures`;
}
