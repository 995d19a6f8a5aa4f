/** The board: for each document which keys of the old and of the new root have signed, and who is missing. */
import { keyIdsOf, type AuthorityRole } from './authority.js';
import type { DocumentFacts } from './facts.js';
import { listedFor, type ListedSignature } from './signed-file.js';
import type { SignatureFile } from './signature-file.js';

/** One threshold that a document has to meet. */
export interface Threshold {
  /** Whose keys: the root of this version; 0 for all holders of the policy. */
  readonly by: number;
  /** Which of its roles. */
  readonly role: 'root' | 'targets';
  readonly needed: number;
  /** Key ids (SHA-256 of the public key), in the order of the role. */
  readonly signed: readonly string[];
  readonly missing: readonly string[];
  readonly isMet: boolean;
}

export interface BoardRow {
  readonly document: string;
  readonly version: number;
  readonly thresholds: readonly Threshold[];
  readonly isMet: boolean;
}

/** @param signatures verified before */
export function boardOf(
  documents: readonly DocumentFacts[],
  signatures: readonly SignatureFile[],
): readonly BoardRow[] {
  return documents.map((document) => {
    const { id, version } = document.order;
    const signed = new Set(signatures.filter((one) => one.document === id).map(({ keyId }) => keyId));
    const thresholds = authoritiesOf(document).map((one) => thresholdOf(one, signed));
    return { document: id, version, thresholds, isMet: thresholds.every(({ isMet }) => isMet) };
  });
}

/** Whose signatures a document needs: of a root those of the one before and its own, of anything else those that a root names. */
export interface SigningAuthority {
  readonly by: number;
  readonly role: 'root' | 'targets';
  readonly keys: AuthorityRole;
}

/** In the order in which the board shows them. */
export function authoritiesOf(document: DocumentFacts): readonly SigningAuthority[] {
  const { order, base, proposed, authority, certifiers } = document;
  if (certifiers !== undefined) {
    return [{ by: authority?.document.version ?? 0, role: 'root', keys: certifiers }];
  }
  if (order.role === 'targets') {
    const root = authority?.document;
    const keys = root?.authority?.targets;
    return root === undefined || keys === undefined ? [] : [{ by: root.version, role: 'targets', keys }];
  }
  const old = base.at(-1)?.document;
  return [old, proposed].flatMap((root) =>
    root?.authority === undefined
      ? []
      : [{ by: root.version, role: 'root' as const, keys: root.authority.root }],
  );
}

/** Signatures of a document as its file lists them: under every id that the key goes by in the old and in the new root. */
export function listedSignatures(
  document: DocumentFacts,
  signatures: readonly SignatureFile[],
): readonly ListedSignature[] {
  const keys = new Map(
    authoritiesOf(document).flatMap((one) => one.keys.keys.map((key) => [key.id, key] as const)),
  );
  const mine = new Map(
    signatures
      .filter((one) => one.document === document.order.id)
      .map(({ keyId, signature }) => [keyId, signature]),
  );
  return [...keys.values()].flatMap((key) => {
    const signature = mine.get(key.keyId);
    return signature === undefined ? [] : [listedFor(key, signature)];
  });
}

function thresholdOf({ by, role, keys }: SigningAuthority, signed: ReadonlySet<string>): Threshold {
  const all = keyIdsOf(keys);
  const good = all.filter((keyId) => signed.has(keyId));
  return {
    by,
    role,
    needed: keys.threshold,
    signed: good,
    missing: all.filter((keyId) => !signed.has(keyId)),
    isMet: good.length >= keys.threshold,
  };
}
