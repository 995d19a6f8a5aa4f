/** A root in the terms of a ceremony, whatever its format: which keys, how many of them, for which role. */
import { rawFromSpki } from '../crypto/public-key.js';
import type { RootDocument } from '../formats/notary1/document.js';
import { notarySpki, type NotaryKey } from '../formats/notary1/key.js';
import type { TufRoot, TopRole } from '../formats/tuf/document.js';
import { TOP_ROLES } from '../formats/tuf/document.js';
import { spkiOf, tufKeyOf, type TufKey } from '../formats/tuf/key.js';
import { AgentError } from '../errors/agent-error.js';
import { sha256Hex } from './one-form.js';

export interface AuthorityKey {
  /** Id by which the document names it. */
  readonly id: string;
  /** SHA-256 of its DER SubjectPublicKeyInfo: the same in every format. */
  readonly keyId: string;
  /** DER; empty for a key of a type that this release does not read. */
  readonly spki: Buffer;
  /** As TUF names them. */
  readonly scheme: string;
  /** Whether `signature`, in the encoding of the format, is one of this key. */
  readonly origin:
    | { readonly format: 'tuf'; readonly key: TufKey }
    | { readonly format: 'notary1'; readonly key: NotaryKey };
}

export interface AuthorityRole {
  readonly keys: readonly AuthorityKey[];
  readonly threshold: number;
}

export type Authority = Readonly<Record<TopRole, AuthorityRole>>;

const SCHEMES = {
  'ecdsa-p256': 'ecdsa-sha2-nistp256',
  'ecdsa-p384': 'ecdsa-sha2-nistp384',
  ed25519: 'ed25519',
  'rsa-3072': 'rsassa-pss-sha256',
} as const;

/** Roles of a TUF root. Ids that stand for no key are left out: nobody can sign with them. */
export function tufAuthority({ keys, roles }: TufRoot): Authority {
  return mapRoles((role) => ({
    threshold: roles[role].threshold,
    keys: roles[role].keyids.flatMap((id) => {
      const key = keys.get(id);
      return key === undefined ? [] : [tufAuthorityKey(id, key)];
    }),
  }));
}

/** Public keys as a role of their own: who certifies where no root names it. @param publicKeys base64 of DER SubjectPublicKeyInfo */
export function authorityRole(publicKeys: readonly string[], threshold: number): AuthorityRole {
  const keys = publicKeys.map((text) => {
    const spki = Buffer.from(text, 'base64');
    return tufAuthorityKey(sha256Hex(spki), tufKeyOf(spki));
  });
  return { keys, threshold };
}

/** Roles of a root of a notary-server. */
export function notaryAuthority({ keys, roles }: RootDocument): Authority {
  return mapRoles((role) => ({
    threshold: roles[role].threshold,
    keys: roles[role].keyids.flatMap((id) => {
      const key = keys.get(id);
      return key === undefined ? [] : [notaryAuthorityKey(id, key)];
    }),
  }));
}

/** Ids of public keys, each once. */
export function keyIdsOf({ keys }: AuthorityRole): readonly string[] {
  return [...new Set(keys.map(({ keyId }) => keyId))];
}

function tufAuthorityKey(id: string, key: TufKey): AuthorityKey {
  const spki = readable(() => spkiOf(key));
  return { id, ...identified(id, spki), scheme: key.scheme, origin: { format: 'tuf', key } };
}

function notaryAuthorityKey(id: string, key: NotaryKey): AuthorityKey {
  const spki = readable(() => notarySpki(key));
  return {
    id,
    ...identified(id, spki),
    scheme: schemeOf(spki, key.keytype),
    origin: { format: 'notary1', key },
  };
}

function schemeOf(spki: Buffer, keytype: string): string {
  try {
    return SCHEMES[rawFromSpki(spki).algorithm];
  } catch {
    return keytype;
  }
}

/** A key that cannot be read is still one entry of its role, under a name that no signature has. */
function identified(id: string, spki: Buffer): Pick<AuthorityKey, 'keyId' | 'spki'> {
  return { keyId: spki.length === 0 ? `unreadable:${id}` : sha256Hex(spki), spki };
}

function readable(read: () => Buffer): Buffer {
  try {
    return read();
  } catch (thrown) {
    if (thrown instanceof AgentError) return Buffer.alloc(0);
    throw thrown;
  }
}

function mapRoles(read: (role: TopRole) => AuthorityRole): Authority {
  const [root, targets, snapshot, timestamp] = TOP_ROLES.map(read) as [
    AuthorityRole,
    AuthorityRole,
    AuthorityRole,
    AuthorityRole,
  ];
  return { root, targets, snapshot, timestamp };
}
