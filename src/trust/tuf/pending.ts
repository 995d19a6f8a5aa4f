/** Documents on their way to being signed: versions, expiry, and which keys within reach sign what. Pure. */
import {
  SPEC_VERSION,
  type TufDocument,
  type TufRoot,
  type TufSignature,
  type TufTargets,
} from '../../formats/tuf/document.js';
import { tufTime } from '../../formats/tuf/expiry.js';
import { spkiOf } from '../../formats/tuf/key.js';
import { countSignatures } from '../../formats/tuf/verify.js';
import { envelopeBytes, signedBytes } from '../../formats/tuf/writer.js';
import { AgentError } from '../../errors/agent-error.js';
import type { JsonObject } from '../../formats/json-object.js';
import type { TufMembers } from './roles.js';
import type { HeldKey, TufOrder } from './signer.js';
import type { TufDays } from './settings.js';

const DAY_MS = 86_400_000;

/** A document with the signatures it has so far. */
export interface Pending {
  readonly role: string;
  /** Role of the keys of an agent that sign for it. */
  readonly keyRole: string;
  readonly document: TufDocument;
  readonly signatures: readonly TufSignature[];
  /** Who has to sign: for a root the keys of the root before it as well. */
  readonly members: readonly TufMembers[];
  /** Fields of others beside the two that an envelope has. */
  readonly raw?: JsonObject | undefined;
}

/** Where a document stands: the set of keys that lacks most. */
export interface SignatureState {
  readonly isMet: boolean;
  readonly good: number;
  readonly threshold: number;
}

/** Nothing is delegated, and there are no targets. */
export function emptyTargets(): TufTargets {
  return { type: 'targets', specVersion: SPEC_VERSION, version: 0, expires: '', raw: {}, targets: new Map() };
}

/** The same content as a new version. */
export function renewed<T extends TufDocument>(document: T, version: number, expires: string): T {
  return { ...document, specVersion: SPEC_VERSION, version, expires };
}

/** When a signature of today expires. */
export function expiryOf(type: keyof TufDays, days: TufDays, nowMs: number): string {
  return tufTime(new Date(nowMs + days[type] * DAY_MS));
}

/** Who has to sign a root: its own keys, and those of the root before. */
export function rootMembers(root: TufRoot, before: TufRoot | undefined): readonly TufMembers[] {
  const own = { keys: root.keys, role: root.roles.root };
  return before === undefined ? [own] : [{ keys: before.keys, role: before.roles.root }, own];
}

export function signatureState({ document, signatures, members }: Pending): SignatureState {
  const counts = members.map(({ keys, role }) =>
    countSignatures({ signed: document, signatures }, keys, role),
  );
  const states = counts.map(({ good, threshold, isMet }) => ({ isMet, good: good.length, threshold }));
  return states.find(({ isMet }) => !isMet) ?? states[0] ?? { isMet: false, good: 0, threshold: 1 };
}

/** A signature that a key within reach can add. */
export interface OpenSignature {
  readonly keyid: string;
  readonly order: TufOrder;
}

/** Signatures that the keys within reach can add and have not, each key once. */
export function openSignatures(pending: Pending, held: readonly HeldKey[]): readonly OpenSignature[] {
  const { document, keyRole, members } = pending;
  const payload = signedBytes(document);
  const found = new Map<string, OpenSignature>();
  for (const { keys, role } of members) {
    const { missing, bad } = countSignatures(
      { signed: document, signatures: pending.signatures },
      keys,
      role,
    );
    for (const keyid of [...missing, ...bad]) {
      const key = holderOf(keyRole, keys.get(keyid), held);
      if (key !== undefined)
        found.set(keyid, { keyid, order: { key, kind: `tuf.${document.type}`, payload } });
    }
  }
  return [...found.values()];
}

/** With further signatures; one that was there under the same key id is replaced. */
export function withSignatures(pending: Pending, added: readonly TufSignature[]): Pending {
  const ids = new Set(added.map(({ keyid }) => keyid));
  return { ...pending, signatures: [...pending.signatures.filter(({ keyid }) => !ids.has(keyid)), ...added] };
}

/** The file. */
export function pendingBytes({ document, signatures, raw }: Pending): Buffer {
  return envelopeBytes(document, signatures, raw);
}

/** Public keys are compared, not ids: others may write the same key in another way. */
function holderOf(
  keyRole: string,
  key: Parameters<typeof spkiOf>[0] | undefined,
  held: readonly HeldKey[],
): HeldKey | undefined {
  if (key === undefined) return undefined;
  try {
    const spki = spkiOf(key);
    return held.find((one) => one.role === keyRole && one.spki.equals(spki));
  } catch (cause) {
    if (cause instanceof AgentError) return undefined;
    throw cause;
  }
}
