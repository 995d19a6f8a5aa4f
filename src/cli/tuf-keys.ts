/** Keys of TUF roles as a command line names them: a key of this agent, or the public key of somebody else in a PEM file. */
import { decodePem } from '../encoding/pem.js';
import { AgentError } from '../errors/agent-error.js';
import { tufKeyOf, type TufKey } from '../formats/tuf/key.js';
import { formatKeyName, parseKeyName } from '../keys/key-name.js';
import { ROOT_ROLE } from '../keys/roles.js';
import type { HeldKey, TufSigner } from '../trust/tuf/signer.js';
import { readTextFile } from './input-file.js';

/** The role that a key is for. */
export interface KeyPurpose {
  readonly repository: string;
  /** Of the key: `root`, `targets`, `targets/team-a`. */
  readonly role: string;
}

/** @throws AgentError `usage.invalid`, `key.unknown`, `key.usage` for a key of another repository or role */
export async function namedKeys(
  signer: TufSigner,
  texts: readonly string[],
  purpose: KeyPurpose,
): Promise<readonly TufKey[]> {
  const keys: TufKey[] = [];
  for (const text of texts) {
    keys.push(text.includes('#') ? tufKeyOf((await ownKey(signer, text, purpose)).spki) : keyOfFile(text));
  }
  return keys;
}

/** The key of this agent for a purpose, derived if need be; of a root every key that was made for it. @throws AgentError `key.unknown` */
export async function defaultKeys(
  signer: TufSigner,
  held: readonly HeldKey[],
  { repository, role }: KeyPurpose,
): Promise<readonly TufKey[]> {
  if (role !== ROOT_ROLE) return [tufKeyOf((await signer.derive(formatKeyName({ repository, role }))).spki)];
  const roots = held.filter((key) => key.role === ROOT_ROLE);
  if (roots.length > 0) return roots.map(({ spki }) => tufKeyOf(spki));
  throw new AgentError('key.unknown', {
    message: `${repository} has no root key of its own`,
    hint: `make one with "touchstone key create '${formatKeyName({ repository, role, index: 1 })}' --token NAME"`,
  });
}

async function ownKey(signer: TufSigner, name: string, { repository, role }: KeyPurpose): Promise<HeldKey> {
  const asked = parseKeyName(name);
  if (asked.repository !== repository || asked.role !== role) {
    throw new AgentError('key.usage', {
      message: `${name}: a key of ${repository}#${role} is needed`,
      hint: 'the key of one role signs for no other; a key of somebody else is given as a PEM file',
    });
  }
  return role === ROOT_ROLE ? signer.show(name) : signer.derive(name);
}

/** @throws AgentError `usage.file`, `usage.invalid`, `tuf.key` */
function keyOfFile(path: string): TufKey {
  const { label, der } = decodePem(readTextFile(path), `reading ${path}`);
  if (label === 'PUBLIC KEY') return tufKeyOf(der);
  throw new AgentError('usage.invalid', {
    message: `reading ${path}: it is no PEM file with a public key`,
    hint: 'make it with "touchstone key export NAME -o FILE" where the key is',
  });
}
