/** Signing at a token of a holder: one PIN for all documents, each signature verified and on disk before the next is made. */
import type { AgentClient } from '../client/client.js';
import { signStatements } from '../client/signer.js';
import { unlockToken, type ReadPin } from '../client/unlock.js';
import { rawFromSpki } from '../crypto/public-key.js';
import { asAgentError, type AgentError } from '../errors/agent-error.js';
import { authoritiesOf } from './board.js';
import { circumstancesOf } from './checks/signatures.js';
import { signingMessage, type SigningMessage } from './document.js';
import type { EventOf } from './event.js';
import type { DocumentFacts } from './facts.js';
import { signatureFile } from './file-names.js';
import { adoptHeldKey, repositoryOfPolicy, type HolderToken } from './holder.js';
import type { HeldKey } from './holder-book.js';
import { sha256Hex } from './one-form.js';
import type { CeremonySession } from './session.js';
import { sealSignature, type SignatureFile } from './signature-file.js';
import { RSA_SCHEME, signatureHex } from './signing-key.js';

/** Long enough for a PIN and a touch for each document; whoever leaves earlier locks it anyway. Seconds. */
const LEASE_SECONDS = 900;
const SIGN_MS = 60_000;
const UNLOCK_MS = 120_000;

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
  return wanted.flatMap((holder) =>
    book.keys(holder).flatMap((held) => {
      const missing = documents.filter((document) => needs(session, document, held.keyId));
      return missing.length === 0 ? [] : [{ held, documents: missing }];
    }),
  );
}

export interface SigningParts {
  readonly session: CeremonySession;
  readonly client: AgentClient;
  readonly readPin: ReadPin;
  /** Serial number, where a person allowed the last try of that token. */
  readonly useLastTry?: string | undefined;
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
  const { session, client } = parts;
  const { held, token } = found;
  noteToken(session, found, 'inserted', '');
  const names = await keyNames(parts, documents, found);
  const messages = documents.map((one) => signingMessage(one.proposed, circumstancesOf(session.facts)));
  await unlock(parts, found, { names, messages });
  try {
    const files: string[] = [];
    for (const [at, document] of documents.entries()) {
      const [name, message] = [names[at], messages[at]];
      if (name === undefined || message === undefined) continue;
      const file = await signDocument(parts, found, { document, name, message });
      session.take(file, 'made');
      files.push(signatureFile(file, session.facts.request.value.rehearsal));
    }
    return files;
  } catch (thrown) {
    const { code, message } = asAgentError(thrown);
    session.transcript.add(held.holder, { event: 'error', code, message });
    throw thrown;
  } finally {
    await client.call('lock', { token });
    noteToken(session, found, 'removed', '');
  }
}

/** Writes down that a token was not taken. */
export function noteRefused(session: CeremonySession, held: HeldKey, error: AgentError): void {
  session.transcript.add(held.holder, {
    event: 'token',
    state: 'refused',
    holder: held.holder,
    serial: held.serial,
    model: held.model,
    firmware: null,
    triesLeft: null,
    why: error.message,
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

async function unlock(
  { session, client, readPin, useLastTry }: SigningParts,
  { held, token }: HolderToken,
  wanted: { readonly names: readonly string[]; readonly messages: readonly SigningMessage[] },
): Promise<void> {
  const note = (result: EventOf<'pin'>['result'], triesLeft: number | null): void => {
    session.transcript.add(held.holder, {
      event: 'pin',
      holder: held.holder,
      serial: held.serial,
      result,
      triesLeft,
    });
  };
  try {
    await unlockToken(client, {
      token,
      readPin,
      lease: {
        keys: [...new Set(wanted.names)],
        kinds: [...new Set(wanted.messages.map(({ kind }) => kind))],
        uses: wanted.messages.length,
        seconds: LEASE_SECONDS,
        ...(useLastTry === undefined ? {} : { useLastTry }),
      },
      timeoutMs: UNLOCK_MS,
    });
  } catch (thrown) {
    const { code } = asAgentError(thrown);
    if (code.startsWith('token.pin-')) note('refused', code === 'token.pin-locked' ? 0 : null);
    throw thrown;
  }
  note('accepted', null);
}

async function signDocument(
  { session, client }: SigningParts,
  { held, status }: HolderToken,
  wanted: { readonly document: DocumentFacts; readonly name: string; readonly message: SigningMessage },
): Promise<SignatureFile> {
  const { request } = session.facts;
  const { order, proposed } = wanted.document;
  const { algorithm } = rawFromSpki(Buffer.from(held.publicKey, 'base64'));
  const { kind, bytes } = wanted.message;
  const scheme = algorithm === 'rsa-3072' ? RSA_SCHEME : undefined;
  const [signed] = await signStatements(
    client,
    [{ key: wanted.name, kind, payload: bytes, scheme }],
    SIGN_MS,
  );
  return sealSignature({
    ceremony: request.value.id,
    request: request.sha256,
    document: order.id,
    role: order.role,
    documentVersion: order.version,
    payloadSha256: sha256Hex(proposed.payload),
    holder: held.holder,
    keyId: held.keyId,
    algorithm,
    signature: signatureHex(algorithm, signed?.signature ?? Buffer.alloc(0)),
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

function noteToken(
  session: CeremonySession,
  { held, status }: HolderToken,
  state: EventOf<'token'>['state'],
  why: string,
): void {
  session.transcript.add(held.holder, {
    event: 'token',
    state,
    holder: held.holder,
    serial: held.serial,
    model: status.model ?? held.model,
    firmware: /^\d{1,3}\.\d{1,3}\.\d{1,3}$/.exec(status.firmware ?? '')?.[0] ?? null,
    triesLeft: status.triesLeft === 'last' ? 1 : status.triesLeft === 'locked' ? 0 : null,
    why,
  });
}
