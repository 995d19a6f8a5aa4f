/** A holder's token as the agent sees it: found by its serial number and the public key on it, never by a slot or a label. */
import type { AgentClient } from '../client/client.js';
import { listKeys } from '../client/key-list.js';
import type { KeyAlgorithm } from '../crypto/algorithms.js';
import { rawFromSpki } from '../crypto/public-key.js';
import { AgentError } from '../errors/agent-error.js';
import { formatKeyName, parseKeyName } from '../keys/key-name.js';
import type { TokenStatusInfo } from '../protocol/methods.js';
import type { HeldKey } from './holder-book.js';

export interface HolderToken {
  readonly held: HeldKey;
  /** Name in touchstone.toml. */
  readonly token: string;
  readonly status: TokenStatusInfo;
}

/** Where a key is, and what it is to sign. */
export interface KeyPlace {
  /** Name in touchstone.toml. */
  readonly token: string;
  readonly repository: string;
  readonly role: 'root' | 'targets';
}

const REPOSITORY_PREFIX = 'ceremony/';
const MAX_REPOSITORY = 255;

/** Under which repository the agent keeps the root keys of a TUF repository, whose metadata name none. @param name words of the policy */
export function repositoryOfPolicy(name: string): string {
  const slug = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .replaceAll(/^-+|-+$/g, '');
  return `${REPOSITORY_PREFIX}${slug === '' ? 'root' : slug}`.slice(0, MAX_REPOSITORY);
}

/**
 * The token that has this serial number and holds this key. Nothing is sent to a token but questions.
 * @returns undefined when no token with the serial number is there
 * @throws AgentError `ceremony.token` when it is there and holds another key
 */
export async function findHolderToken(client: AgentClient, held: HeldKey): Promise<HolderToken | undefined> {
  const { tokens } = await client.call('tokens.list', {});
  const present = tokens.filter(({ serial, state }) => serial === held.serial && state !== 'absent');
  // Some drivers give all their tokens one serial number: the key tells.
  for (const status of present) {
    if (await holdsKey(client, held, status.name)) return { held, token: status.name, status };
  }
  if (present.length === 0) return undefined;
  throw new AgentError('ceremony.token', {
    message: `the token with serial number ${held.serial} is there, but it does not hold the key ${held.keyId.slice(0, 8)} of ${held.holder}`,
    details: { holder: held.holder, serial: held.serial, keyId: held.keyId },
  });
}

/** Records the key of a holder's token as one of a repository, if it is not yet. @returns the name by which it signs */
export async function adoptHeldKey(
  client: AgentClient,
  { publicKey }: Pick<HeldKey, 'publicKey'>,
  where: KeyPlace,
): Promise<string> {
  const { token, repository, role } = where;
  const { keys } = await listKeys((page) => client.call('keys.list', page), {
    all: true,
    repository,
    role,
  });
  const { algorithm } = rawFromSpki(Buffer.from(publicKey, 'base64'));
  const own = keys.filter(({ usage, name }) => usage === 'sign' && name.includes('#'));
  const name = own.find((key) => key.publicKey === publicKey)?.name ?? nextName(where, algorithm, own);
  try {
    const { key } = await client.call('keys.adopt', { key: name, token, publicKey });
    return key.name;
  } catch (thrown) {
    throw withUnlockHint(thrown);
  }
}

/** Only the agent's own audit key writes into its keyring, and that is loaded with the token of the machine itself. */
function withUnlockHint(thrown: unknown): unknown {
  if (!(thrown instanceof AgentError) || thrown.code !== 'key.locked') return thrown;
  return new AgentError('key.locked', {
    message: 'recording the key of a holder: the own token of this machine is locked',
    hint: 'unlock it first: touchstone unlock',
    cause: thrown,
  });
}

/** The first name that no key has had. */
export function nextName(
  { repository, role }: Pick<KeyPlace, 'repository' | 'role'>,
  algorithm: KeyAlgorithm,
  keys: readonly { readonly name: string }[],
): string {
  const indices = keys.map(({ name }) => parseKeyName(name).index ?? 0);
  return formatKeyName({ repository, role, algorithm, index: Math.max(0, ...indices) + 1 });
}

async function holdsKey(client: AgentClient, { publicKey }: HeldKey, token: string): Promise<boolean> {
  try {
    await client.call('tokens.find', { token, publicKey });
    return true;
  } catch (thrown) {
    if (thrown instanceof AgentError && thrown.code === 'token.key-missing') return false;
    throw thrown;
  }
}
