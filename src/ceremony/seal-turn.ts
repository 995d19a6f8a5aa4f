/** Holders who were present sign, at the end, what was written down. */
import { adoptHeldKey, repositoryOfPolicy, type HolderToken } from './holder.js';
import type { HeldKey } from './holder-book.js';
import { SEAL_TYPE, sealMessage } from './seal.js';
import { requireClosed, takeSeal } from './sealing.js';
import type { CeremonySession } from './session.js';
import { atToken, signMessage, type SigningParts } from './token-work.js';
import { rootAfter } from './vouching.js';

/**
 * Has a holder who was present sign what was written down. @returns false when they had done so before
 * @throws AgentError `ceremony.order` before it was closed, and as `signTurn`
 */
export async function sealTurn(parts: SigningParts, found: HolderToken): Promise<boolean> {
  const { session, client } = parts;
  const { held, token } = found;
  const what = requireClosed(session);
  const repository = repositoryOfPolicy(session.facts.policy.value.name);
  const name = await adoptHeldKey(client, held, { token, repository, role: 'root' });
  const message = { kind: `dsse:${SEAL_TYPE}`, bytes: sealMessage(what) };
  return atToken(parts, found, { names: [name], messages: [message] }, async () => {
    const { signature } = await signMessage(client, held, { name, message });
    return takeSeal(session, { holder: held.holder, keyId: held.keyId, signature });
  });
}

/**
 * Keys that have not sealed yet, in the order of the request: of holders who signed here, or of those who are named, who may have signed elsewhere
 * or hold a key of the root.
 */
export function sealers(session: CeremonySession, named?: readonly string[]): readonly HeldKey[] {
  const { lines } = session.transcript;
  const { holders: book, request, documents } = session.facts;
  const closed = lines.findLastIndex(({ event }) => event.event === 'closed');
  const sealed = new Set(
    lines.slice(Math.max(0, closed)).flatMap(({ event }) => (event.event === 'sealed' ? [event.keyId] : [])),
  );
  const roots = documents.flatMap((one) => rootAfter(one)?.keys ?? []).map(({ keyId }) => keyId);
  const able = new Set([
    ...lines.flatMap(({ event }) =>
      event.event === 'signed' && (named !== undefined || event.how !== 'added') ? [event.keyId] : [],
    ),
    ...(named === undefined ? [] : roots),
  ]);
  return (named ?? request.value.signers)
    .flatMap((holder) => book.keys(holder))
    .filter(({ keyId }) => able.has(keyId) && !sealed.has(keyId));
}
