/**
 * The rehearsal of a ceremony: the same documents and steps with other keys, on tokens that are thrown away. What it signs has another type
 * and another form, so nothing of it verifies anywhere.
 */
import { AgentError } from '../errors/agent-error.js';
import type { JsonObject } from '../formats/json-object.js';
import { keyObjectJson, notaryKeyFromCertificates, tufKeyId } from '../formats/notary1/key.js';
import { tufKeyIdOf, tufKeyOf } from '../formats/tuf/key.js';
import type { CeremonyAction } from './action.js';
import { openDocument, type OpenDocument } from './document.js';
import { keyIdOfSpki, type Enrolment } from './enrolment.js';
import type { CeremonyFacts } from './facts.js';
import type { HeldKey } from './holder-book.js';
import { repositoryOf } from './payload.js';
import type { CeremonyPolicy } from './policy.js';
import type { Preparation, PreparedDocument } from './preparing.js';

/** By the id of a real key: the key that stands for it, enrolled on a token named after its holder. */
export type Understudies = ReadonlyMap<string, Enrolment>;

/** Every root key that the ceremony is about: those that policy and enrolments name. @throws AgentError `ceremony.action` for targets, which other keys sign */
export function keysToRehearse({ documents, holders }: CeremonyFacts): readonly HeldKey[] {
  const other = documents.find(({ order }) => order.role !== 'root');
  if (other === undefined) return holders.keys();
  throw new AgentError('ceremony.action', {
    message: `rehearsing: only what root keys sign can be rehearsed, ${other.order.id} is none of it`,
  });
}

/** Repositories of a notary-server among the documents: whoever stands for a holder needs a certificate for each. */
export function rehearsedRepositories({ documents }: CeremonyFacts): readonly string[] {
  return documents.flatMap(({ order }) => (order.format === 'notary1' ? [repositoryOf(order.id)] : []));
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

/**
 * A root with the keys of the rehearsal in the place of the real ones, opened; not signed yet.
 * @param id of the document that it is a version of
 * @throws AgentError `ceremony.action` when a key of the rehearsal has no certificate for the repository
 */
export function rehearsalRoot(id: string, base: OpenDocument, understudies: Understudies): OpenDocument {
  const { format } = base.content;
  const keyOf = format === 'notary1' ? notaryKeyFor(repositoryOf(id)) : tufKeyFor;
  const ids = new Map<string, PlacedKey>();
  for (const { id: old, keyId } of base.authority?.root.keys ?? []) {
    const stand = understudies.get(keyId);
    if (stand !== undefined) ids.set(old, keyOf(stand));
  }
  const { keys, roles } = base.json as {
    readonly keys: JsonObject;
    readonly roles: Readonly<Record<string, { readonly keyids: readonly string[] }>>;
  };
  const json = {
    ...base.json,
    keys: Object.fromEntries(
      Object.entries(keys).map(([old, key]) => {
        const stand = ids.get(old);
        return stand === undefined ? [old, key] : [stand.id, stand.key];
      }),
    ),
    roles: Object.fromEntries(
      Object.entries(roles).map(([role, value]) => [
        role,
        { ...value, keyids: value.keyids.map((old) => ids.get(old)?.id ?? old) },
      ]),
    ),
  };
  return openDocument(json, { format, role: 'root' });
}

/** A key as a root holds it, under its id there. */
interface PlacedKey {
  readonly id: string;
  readonly key: object;
}

function tufKeyFor({ publicKey }: Enrolment): PlacedKey {
  const key = tufKeyOf(Buffer.from(publicKey, 'base64'));
  return { id: tufKeyIdOf(key), key };
}

function notaryKeyFor(repository: string): (stand: Enrolment) => PlacedKey {
  return ({ holder, certificates }) => {
    const pem = certificates.find((one) => one.repository === repository)?.pem;
    if (pem === undefined) {
      throw new AgentError('ceremony.action', {
        message: `rehearsing: the key of ${holder} has no certificate for ${repository}`,
      });
    }
    const key = notaryKeyFromCertificates(pem);
    return { id: tufKeyId(key), key: keyObjectJson(key) };
  };
}

/** Files that documents begin with, signed by the keys of the rehearsal, by the id of the document. */
export type RehearsalFiles = ReadonlyMap<string, Pick<PreparedDocument, 'base' | 'authority'>>;

/** What to prepare: the request with the keys of the rehearsal. */
export function rehearsalPreparation(
  { request, policy, enrolments, documents }: CeremonyFacts,
  understudies: Understudies,
  files: RehearsalFiles,
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
    documents: documents.map(({ order }) => ({
      id: order.id,
      format: order.format,
      role: order.role,
      base: files.get(order.id)?.base ?? [],
      authority: files.get(order.id)?.authority ?? null,
    })),
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
