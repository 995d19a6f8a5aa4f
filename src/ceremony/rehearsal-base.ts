/** The root that a rehearsal begins with, signed by all the keys that stand for real ones. */
import type { AgentClient } from '../client/client.js';
import { unlockToken, type ReadPin } from '../client/unlock.js';
import { signingMessage, type OpenDocument } from './document.js';
import { adoptHeldKey } from './holder.js';
import { listedFor, writeSignedFile } from './signed-file.js';
import { signMessage } from './token-work.js';

export interface RehearsalSigner {
  readonly client: AgentClient;
  readonly readPin: ReadPin;
  /** Under which the agent keeps the keys. */
  readonly repository: string;
  /** Name in touchstone.toml of the token of a key, by key id. */
  readonly tokens: ReadonlyMap<string, string>;
}

const LEASE_SECONDS = 60;
const UNLOCK_MS = 60_000;

/** Bytes of the file. @throws AgentError of the agent */
export async function signRehearsalBase(
  { client, readPin, repository, tokens }: RehearsalSigner,
  ceremony: string,
  document: OpenDocument,
): Promise<Buffer> {
  const where = { ceremony, rehearsal: true } as const;
  const message = signingMessage(document, where);
  const listed = [];
  for (const key of document.authority?.root.keys ?? []) {
    const token = tokens.get(key.keyId);
    if (token === undefined) continue;
    const held = { publicKey: key.spki.toString('base64') };
    const name = await adoptHeldKey(client, held, { token, repository, role: 'root' });
    const lease = { keys: [name], kinds: [message.kind], uses: 1, seconds: LEASE_SECONDS };
    await unlockToken(client, { token, readPin, lease, timeoutMs: UNLOCK_MS });
    const { signature } = await signMessage(client, held, { name, message });
    await client.call('lock', { token });
    listed.push(listedFor(key, signature));
  }
  return writeSignedFile(document, listed, where);
}
