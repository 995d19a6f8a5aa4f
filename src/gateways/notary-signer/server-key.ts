/** A timestamp or snapshot key as a notary-server knows it: by its TUF key id, with the public key in the form of Notary's documents. */
import { AgentError } from '../../errors/agent-error.js';
import { notaryKeyFromSpki, tufKeyId, type NotaryKey } from '../../formats/notary1/key.js';
import { parseKeyName, withDefaults } from '../../keys/key-name.js';
import type { KeyInfo } from '../../protocol/methods.js';

/** Roles whose keys a server holds. */
export const SERVER_ROLES = ['timestamp', 'snapshot'] as const;

export type ServerRole = (typeof SERVER_ROLES)[number];

/** Algorithms in the words of a notary-server, and ours for them. */
const ALGORITHMS = { ecdsa: 'ecdsa-p256', ed25519: 'ed25519' } as const;

export type ServerAlgorithm = keyof typeof ALGORITHMS;

export interface ServerKey {
  /** TUF key id: lower-case hex SHA-256 of the canonical key object. */
  readonly id: string;
  /** Name in the keyring, with the epoch when it is not the active one. */
  readonly name: string;
  /** The GUN. */
  readonly repository: string;
  readonly role: ServerRole;
  readonly algorithm: ServerAlgorithm;
  readonly index: number;
  /** Id in the keyring. */
  readonly keyId: string;
  readonly key: NotaryKey;
  readonly state: KeyInfo['state'];
  readonly loaded: boolean;
}

/** @throws AgentError `key.field-invalid` */
export function serverRole(role: string): ServerRole {
  const known = SERVER_ROLES.find((one) => one === role);
  if (known !== undefined) return known;
  throw new AgentError('key.field-invalid', {
    message: `role: a notary-server holds keys for ${SERVER_ROLES.join(' and ')} only`,
  });
}

/** @throws AgentError `key.field-invalid` for RSA and everything else that is not derived */
export function serverAlgorithm(algorithm: string): ServerAlgorithm {
  if (algorithm === 'ecdsa' || algorithm === 'ed25519') return algorithm;
  throw new AgentError('key.field-invalid', {
    message: 'algorithm: keys of a server are derived, and only ecdsa and ed25519 keys can be',
    hint: 'set "key_algorithm": "ecdsa" in the trust_service of the notary-server',
  });
}

/** Name in the keyring of the key with this index. */
export function serverKeyName(
  gun: string,
  role: ServerRole,
  algorithm: ServerAlgorithm,
  index: number,
): string {
  return `${gun}#${role}~${ALGORITHMS[algorithm]}:${index}`;
}

/** The key behind a record of the keyring, or undefined when it is none that a server could hold. */
export function serverKeyOf(info: KeyInfo): ServerKey | undefined {
  const { keyId, publicKey, name, state, loaded } = info;
  if (info.usage !== 'sign' || keyId === undefined || publicKey === undefined) return undefined;
  const { repository, role: written, index } = withDefaults(parseKeyName(name));
  const role = SERVER_ROLES.find((one) => one === written);
  const algorithm = (Object.keys(ALGORITHMS) as ServerAlgorithm[]).find(
    (one) => ALGORITHMS[one] === info.algorithm,
  );
  if (role === undefined || algorithm === undefined) return undefined;
  const key = notaryKeyFromSpki(Buffer.from(publicKey, 'base64'));
  return { id: tufKeyId(key), name, repository, role, algorithm, index, keyId, key, state, loaded };
}
