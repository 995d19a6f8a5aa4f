/** Signing at a token of a holder: one PIN for all documents, each signature verified and on disk before the next is made. */
import { AgentError } from '../errors/agent-error.js';
import { authoritiesOf } from './board.js';
import { circumstancesOf } from './checks/signatures.js';
import { signingMessage, type SigningMessage } from './document.js';
import type { DocumentFacts } from './facts.js';
import { signatureFile } from './file-names.js';
import { adoptHeldKey, repositoryOfPolicy, type HolderToken } from './holder.js';
import type { HeldKey } from './holder-book.js';
import { sha256Hex } from './one-form.js';
import type { CeremonySession } from './session.js';
import { sealSignature, type SignatureFile } from './signature-file.js';
import { atToken, noteToken, signMessage, type SigningParts } from './token-work.js';

/** What one token still has to sign. */
export interface TokenTurn {
  readonly held: HeldKey;
  readonly documents: readonly DocumentFacts[];
}

/**
 * Whose token is asked for next, in the order of the request; the old and the new token of a person follow one another.
 * @param holders only these; the expected signers when left out
 */
export function remainingTurns(session: CeremonySession, holders?: readonly string[]): readonly TokenTurn[] {
  const { request, holders: book, documents } = session.facts;
  const wanted = holders ?? request.value.signers;
  const stranger = wanted.find((holder) => book.keys(holder).length === 0);
  if (stranger !== undefined) {
    throw new AgentError('usage.invalid', {
      message: `signing: ${stranger} holds no key of this ceremony`,
      hint: 'the board names who is expected: "touchstone ceremony add FOLDER"',
    });
  }
  return wanted.flatMap((holder) =>
    book.keys(holder).flatMap((held) => {
      const missing = documents.filter((document) => needs(session, document, held.keyId));
      return missing.length === 0 ? [] : [{ held, documents: missing }];
    }),
  );
}

/**
 * Has a token sign what it still has to. The token is locked afterwards, whatever happens.
 * @returns names of the signature files that were written
 * @throws AgentError `token.…`, `ceremony.signature`, `policy.…`
 */
export async function signTurn(
  parts: SigningParts,
  { documents }: TokenTurn,
  found: HolderToken,
): Promise<readonly string[]> {
  const { session } = parts;
  noteToken(session, found, 'inserted');
  const names = await keyNames(parts, documents, found);
  const messages = documents.map((one) => signingMessage(one.proposed, circumstancesOf(session.facts)));
  return atToken(parts, found, { names, messages }, async () => {
    const files: string[] = [];
    for (const [at, document] of documents.entries()) {
      const [name, message] = [names[at], messages[at]];
      if (name === undefined || message === undefined) continue;
      const file = await signDocument(parts, found, { document, name, message });
      session.take(file, 'made');
      files.push(signatureFile(file, session.facts.request.value.rehearsal));
    }
    return files;
  });
}

/** The key signs as a root of the repository of each document; its name there is found or given. */
async function keyNames(
  { session, client }: SigningParts,
  documents: readonly DocumentFacts[],
  { held, token }: HolderToken,
): Promise<readonly string[]> {
  const names: string[] = [];
  for (const { order } of documents) {
    const repository =
      order.format !== 'tuf'
        ? order.id.slice(0, order.id.lastIndexOf('#'))
        : repositoryOfPolicy(session.facts.policy.value.name);
    names.push(await adoptHeldKey(client, held, { token, repository, role: order.role }));
  }
  return names;
}

async function signDocument(
  { session, client }: SigningParts,
  { held, status }: HolderToken,
  wanted: { readonly document: DocumentFacts; readonly name: string; readonly message: SigningMessage },
): Promise<SignatureFile> {
  const { request } = session.facts;
  const { order, proposed } = wanted.document;
  return sealSignature({
    ceremony: request.value.id,
    request: request.sha256,
    document: order.id,
    role: order.role,
    documentVersion: order.version,
    payloadSha256: sha256Hex(proposed.payload),
    holder: held.holder,
    keyId: held.keyId,
    ...(await signMessage(client, held, wanted)),
    token: { serial: held.serial, model: status.model ?? held.model },
    time: new Date().toISOString().replace(/\.\d{3}Z$/, 'Z'),
  });
}

function needs(session: CeremonySession, document: DocumentFacts, keyId: string): boolean {
  const isNamed = authoritiesOf(document).some(({ keys }) => keys.keys.some((key) => key.keyId === keyId));
  const hasSigned = session.facts.signatures.some(
    ({ value }) => value.document === document.order.id && value.keyId === keyId,
  );
  return isNamed && !hasSigned;
}
