/** A repository as `docker trust inspect` prints it, field by field. */
import type { Target } from '../formats/notary1/document.js';
import type { NotaryKey } from '../formats/notary1/key.js';
import { isSigner, RELEASING, signerName } from './approvals.js';
import { bareIdOf, grantOf, visibleTargets, type Collection } from './collection.js';

/** What docker shows for a tag that is in no signer's delegation. */
const NO_SIGNER = 'Repo Admin';

interface TagRow {
  readonly SignedTag: string;
  /** Hex, without `sha256:`. */
  readonly Digest: string;
  readonly Signers: readonly string[];
}

export interface DockerView {
  readonly Name: string;
  readonly SignedTags: readonly TagRow[];
  readonly Signers: readonly NamedKeys[];
  readonly AdministrativeKeys: readonly NamedKeys[];
}

interface NamedKeys {
  readonly Name: string;
  readonly Keys: readonly { readonly ID: string }[];
}

/**
 * @param name as the person wrote it
 * @param tag only this one
 */
export function dockerView(collection: Collection, name: string, tag?: string): DockerView {
  const { root } = collection.root.document.roles;
  const { keys, roles } = collection.root.document;
  const signers = [...collection.delegations.keys(), ...collection.faults.keys()].filter(isSigner).sort();
  const canonical = roles.targets.keyids.flatMap((id) => canonicalIdOf(keys.get(id)));
  return {
    Name: name,
    SignedTags: tagRows(collection).filter(({ SignedTag }) => tag === undefined || SignedTag === tag),
    Signers: signers.map((role) => ({ Name: signerName(role), Keys: keysOf(collection, role).map(entry) })),
    AdministrativeKeys: [
      { Name: 'Root', Keys: root.keyids.map(entry) },
      { Name: 'Repository', Keys: canonical.map(entry) },
    ],
  };
}

/** One row for each digest that is released under a name: docker shows both when the two roles disagree. */
function tagRows(collection: Collection): readonly TagRow[] {
  const signers = [...collection.delegations.keys()]
    .filter(isSigner)
    .map((role) => [signerName(role), visibleTargets(collection, role)] as const);
  const released = new Map<string, TagRow>();
  for (const role of RELEASING) {
    for (const [name, { hashes }] of visibleTargets(collection, role)) {
      const row = {
        SignedTag: name,
        Digest: hashes.sha256,
        Signers: signersOf(signers, name, hashes.sha256),
      };
      released.set(`${name} ${hashes.sha256}`, row);
    }
  }
  return [...released].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
}

function signersOf(
  signers: readonly (readonly [string, ReadonlyMap<string, Target>])[],
  tag: string,
  sha256: string,
): readonly string[] {
  const names = signers
    .filter(([, targets]) => targets.get(tag)?.hashes.sha256 === sha256)
    .map(([name]) => name);
  return names.length === 0 ? [NO_SIGNER] : names.sort();
}

/** Canonical ids of the keys that may sign for a delegation. */
function keysOf(collection: Collection, role: string): readonly string[] {
  const grant = grantOf(collection, role);
  return grant?.role.keyids.flatMap((id) => canonicalIdOf(grant.keys.get(id))) ?? [];
}

function canonicalIdOf(key: NotaryKey | undefined): readonly string[] {
  const id = key === undefined ? undefined : bareIdOf(key);
  return id === undefined ? [] : [id];
}

function entry(ID: string): { readonly ID: string } {
  return { ID };
}
