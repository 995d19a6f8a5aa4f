/**
 * The rehearsal of a ceremony: the same documents and steps with other keys, on tokens that are thrown away. What it signs has another type
 * and another form, so nothing of it verifies anywhere.
 */
import { AgentError } from '../errors/agent-error.js';
import type { JsonObject } from '../formats/json-object.js';
import { tufKeyIdOf, tufKeyOf, type TufKey } from '../formats/tuf/key.js';
import type { CeremonyAction } from './action.js';
import { openDocument, type OpenDocument } from './document.js';
import { keyIdOfSpki, type Enrolment } from './enrolment.js';
import type { CeremonyFacts } from './facts.js';

import type { HeldKey } from './holder-book.js';
import type { CeremonyPolicy } from './policy.js';
import type { Preparation } from './preparing.js';

/** By the id of a real key: the key that stands for it, enrolled on a token named after its holder. */
export type Understudies = ReadonlyMap<string, Enrolment>;

/** Every root key that the ceremony is about: those that policy and enrolments name. @throws AgentError `ceremony.action` for other roots than TUF's */
export function keysToRehearse({ documents, holders }: CeremonyFacts): readonly HeldKey[] {
  const other = documents.find(({ order }) => order.format !== 'tuf' || order.role !== 'root');
  if (other === undefined) return holders.keys();
  throw new AgentError('ceremony.action', {
    message: `rehearsing: only roots of TUF can be rehearsed, ${other.order.id} is none`,
  });
}

/** The policy of the rehearsal: the same rules, other tokens. */
function rehearsalPolicy(policy: CeremonyPolicy, understudies: Understudies): CeremonyPolicy {
  const holders = policy.holders.map(({ name, tokens }) => ({
    name,
    tokens: tokens.map((held) => {
      const stand = understudies.get(keyIdOfSpki(held.publicKey));
      if (stand === undefined) return held;
      const { serial, model, firmware } = stand.token;
      return { serial, model, firmware, publicKey: stand.publicKey, attested: false };
    }),
  }));
  // SoftHSM attests nothing and has no firmware.
  const tokens = { ...policy.tokens, attestation: 'optional', minimumFirmware: null } as const;
  return { ...policy, holders, tokens };
}

/** The newest root with the keys of the rehearsal in the place of the real ones, opened; not signed yet. */
export function rehearsalBase(base: OpenDocument, understudies: Understudies): OpenDocument {
  const ids = new Map<string, { readonly id: string; readonly key: TufKey }>();
  for (const { id, keyId } of base.authority?.root.keys ?? []) {
    const stand = understudies.get(keyId);
    if (stand === undefined) continue;
    const key = tufKeyOf(Buffer.from(stand.publicKey, 'base64'));
    ids.set(id, { id: tufKeyIdOf(key), key });
  }
  const { keys, roles } = base.json as {
    readonly keys: JsonObject;
    readonly roles: Readonly<Record<string, { readonly keyids: readonly string[] }>>;
  };
  const json = {
    ...base.json,
    keys: Object.fromEntries(
      Object.entries(keys).map(([id, key]) => {
        const stand = ids.get(id);
        return stand === undefined ? [id, key] : [stand.id, stand.key];
      }),
    ),
    roles: Object.fromEntries(
      Object.entries(roles).map(([role, value]) => [
        role,
        { ...value, keyids: value.keyids.map((id) => ids.get(id)?.id ?? id) },
      ]),
    ),
  };
  return openDocument(json, { format: 'tuf', role: 'root' });
}

/** What to prepare: the request with the keys of the rehearsal. @param base files of the newest root, signed by the rehearsal keys */
export function rehearsalPreparation(
  { request, policy, enrolments }: CeremonyFacts,
  understudies: Understudies,
  base: readonly Buffer[],
): Preparation {
  const { id, action, reason, created, expires, signers } = request.value;
  return {
    id,
    rehearsal: true,
    action: rehearsalAction(action, understudies),
    reason,
    created,
    expires,
    policy: rehearsalPolicy(policy.value, understudies),
    enrolments: enrolments.flatMap(({ value }) => understudies.get(value.keyId) ?? []),
    previous: null,
    signers,
    documents: [{ id: 'root', format: 'tuf', role: 'root', base, authority: null }],
  };
}

function rehearsalAction(action: CeremonyAction, understudies: Understudies): CeremonyAction {
  const swap = (ids: readonly string[]): readonly string[] =>
    ids.map((id) => understudies.get(id)?.keyId ?? id);
  switch (action.type) {
    case 'init':
      return { ...action, enters: swap(action.enters) };
    case 'rotate':
    case 'revoke':
      return { ...action, leaves: swap(action.leaves), enters: swap(action.enters) };
    case 'extend':
    case 'threshold':
    case 'online-keys':
    case 'heal':
    case 'certify':
      return action;
  }
}
