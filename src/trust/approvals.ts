/** Who signed what: tags as docker's tools release them, and the signers whose delegation holds the same name with the same digest. */
import type { Target } from '../formats/notary1/document.js';
import { isBaseRole, RELEASES } from '../formats/notary1/role-name.js';
import { signersOfRole, visibleTargets, type Collection } from './collection.js';

export interface Approval {
  /** For example `targets/alice`. */
  readonly role: string;
  /** Canonical ids of the keys that signed it. */
  readonly keys: readonly string[];
}

export interface OtherDigest {
  readonly role: string;
  /** `sha256:` and hex. */
  readonly digest: string;
}

export interface SignedTag {
  readonly tag: string;
  /** `sha256:` and hex. */
  readonly digest: string;
  /** Bytes of the manifest, or of the file. */
  readonly size: number;
  /** Lower-case hex; of files. */
  readonly sha512?: string | undefined;
  /** Whatever the publisher added. */
  readonly custom?: unknown;
  /** The role a trusted pull takes it from. */
  readonly from: 'targets/releases' | 'targets';
  readonly approvals: readonly Approval[];
  /** Roles that hold the tag with another digest. */
  readonly others: readonly OtherDigest[];
}

/** The roles that a trusted pull looks into, in this order. */
export const RELEASING = [RELEASES, 'targets'] as const;

/** Every tag that a trusted pull finds, by name. */
export function signedTags(collection: Collection): readonly SignedTag[] {
  const views = new Map(
    ['targets', ...collection.delegations.keys()].map((role) => [role, visibleTargets(collection, role)]),
  );
  const names = new Set(RELEASING.flatMap((role) => [...(views.get(role)?.keys() ?? [])]));
  const keysOf = new Map([...views.keys()].map((role) => [role, signersOfRole(collection, role)]));
  return [...names].sort().flatMap((tag) => {
    const from = RELEASING.find((role) => views.get(role)?.has(tag) === true);
    const target = from === undefined ? undefined : views.get(from)?.get(tag);
    if (from === undefined || target === undefined) return [];
    const approvals: Approval[] = [];
    const others: OtherDigest[] = [];
    for (const [role, targets] of views) {
      const held = targets.get(tag);
      if (held === undefined) continue;
      if (held.hashes.sha256 !== target.hashes.sha256) {
        others.push({ role, digest: `sha256:${held.hashes.sha256}` });
      } else if (isSigner(role)) {
        approvals.push({ role, keys: keysOf.get(role) ?? [] });
      }
    }
    return [{ tag, ...factsOf(target), from, approvals, others }];
  });
}

/** What is shown of a target: digest, size, and what else stands with it. */
export function factsOf(target: Target): Pick<SignedTag, 'digest' | 'size' | 'sha512' | 'custom'> {
  const { hashes, length, custom } = target;
  const { sha256, sha512 } = hashes;
  return {
    digest: `sha256:${sha256}`,
    size: length,
    ...(sha512 === undefined ? {} : { sha512 }),
    ...(custom === undefined ? {} : { custom }),
  };
}

/** A released tag by name, undefined when a trusted pull would not find it. */
export function signedTag(collection: Collection, tag: string): SignedTag | undefined {
  return signedTags(collection).find((one) => one.tag === tag);
}

/** Whether a role is somebody's own, so that being in it is their approval. */
export function isSigner(role: string): boolean {
  return !isBaseRole(role) && role !== RELEASES;
}

/** The name under which docker lists a role: `alice` for `targets/alice`. */
export function signerName(role: string): string {
  return role.slice(role.indexOf('/') + 1);
}
