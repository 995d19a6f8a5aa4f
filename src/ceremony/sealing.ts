/** Holders who were present sign what was written down, after the ceremony was closed. */
import { AgentError } from '../errors/agent-error.js';
import { rawFromSpki } from '../crypto/public-key.js';
import type { CeremonyFacts } from './facts.js';
import { sealMessage, type SealFacts } from './seal.js';
import type { CeremonySession } from './session.js';
import { isSignedBy } from './signing-key.js';
import type { TranscriptLine } from './transcript-line.js';

/** What there is to seal: the line `closed` that is in force. Undefined before there is one. */
export function sealFactsOf(
  lines: readonly TranscriptLine[],
  { request }: CeremonyFacts,
): SealFacts | undefined {
  const closed = lines.findLast(({ event }) => event.event === 'closed');
  if (closed === undefined) return undefined;
  const { id: ceremony, rehearsal } = request.value;
  return { ceremony, rehearsal, seq: closed.seq, hash: closed.hash };
}

/** Whether a seal is one of this holder's key over these facts. */
export function isSeal(
  facts: SealFacts,
  seal: { readonly holder: string; readonly keyId: string; readonly signature: string },
  { holders }: CeremonyFacts,
): boolean {
  const held = holders.find(seal.keyId);
  if (held?.holder !== seal.holder) return false;
  const { algorithm } = rawFromSpki(Buffer.from(held.publicKey, 'base64'));
  return isSignedBy({ publicKey: held.publicKey, algorithm }, sealMessage(facts), seal.signature);
}

/** What there is to seal. @throws AgentError `ceremony.order` before it was closed */
export function requireClosed({
  transcript,
  facts,
  folder,
}: Pick<CeremonySession, 'transcript' | 'facts' | 'folder'>): SealFacts {
  const what = sealFactsOf(transcript.lines, facts);
  if (what !== undefined) return what;
  throw new AgentError('ceremony.order', {
    message: 'sealing: the ceremony is not closed',
    hint: `run "touchstone ceremony close ${folder.path}" first`,
  });
}

/**
 * Writes a seal into the transcript; the same one twice is written once.
 * @param signature hex, DER for ECDSA, over `sealMessage` of `sealFactsOf`
 * @throws AgentError `ceremony.order` before it was closed, `ceremony.signature` when it does not verify
 */
export function takeSeal(
  { transcript, facts, folder }: Pick<CeremonySession, 'transcript' | 'facts' | 'folder'>,
  seal: { readonly holder: string; readonly keyId: string; readonly signature: string },
): boolean {
  const what = requireClosed({ transcript, facts, folder });
  if (!isSeal(what, seal, facts)) {
    throw new AgentError('ceremony.signature', {
      message: `sealing: the seal of ${seal.holder} does not verify`,
    });
  }
  const { keyId } = seal;
  const after = transcript.lines.filter(({ seq }) => seq > what.seq);
  if (after.some(({ event }) => event.event === 'sealed' && event.keyId === keyId)) return false;
  transcript.add(seal.holder, { event: 'sealed', holder: seal.holder, keyId, signature: seal.signature });
  return true;
}

/**
 * Takes the seals out of the transcript of a copy, which holders sealed elsewhere; they have to be over the same end.
 * @returns whether one of them was new
 * @throws AgentError `ceremony.order`, `ceremony.signature` when the copy was closed with another line
 */
export function takeSealsFrom(session: CeremonySession, lines: readonly TranscriptLine[]): boolean {
  const end = sealFactsOf(lines, session.facts);
  const seals = lines.flatMap(({ seq, event }) =>
    event.event === 'sealed' && end !== undefined && seq > end.seq ? [event] : [],
  );
  if (seals.length === 0)
    throw new AgentError('ceremony.signature', { message: 'sealing: there is no seal in the transcript' });
  return seals
    .map(({ holder, keyId, signature }) => takeSeal(session, { holder, keyId, signature }))
    .some(Boolean);
}
