/** What the root of a YubiKey signs for clients in tests: certificates of repositories, of which there may be any number. */
import type { AgentClient } from '../../src/client/client.js';
import type { StatementToSign } from '../../src/client/signer.js';
import { rootTbs } from './repository-metadata.js';

export const ROOT_KEY = 'docker.io/acme/app#root';

/** The certificate of a repository, to be signed by the root. */
export async function rootStatement(
  client: AgentClient,
  repository = 'docker.io/acme/app',
): Promise<StatementToSign> {
  const key = `${repository}#root`;
  const { publicKey = '' } = (await client.call('keys.show', { key })).key;
  return { key, kind: 'x509.tbs', payload: rootTbs(repository, publicKey) };
}
