/**
 * Whether a key of a server has ever signed. Three witnesses: the guard knows roles that never did; the audit log has a line for every
 * signature, and is the owner's to read; the root of the repository on the server names the keys in use.
 */
import { AgentError } from '../../errors/agent-error.js';
import type { AgentLine } from './agent-line.js';
import type { ServerKey } from './server-key.js';
import type { StoredDocuments } from './stored-documents.js';

export class KeyUse {
  readonly #line: AgentLine;
  readonly #stored: StoredDocuments | undefined;
  readonly #used = new Set<string>();
  /** Sequence of the audit log up to which a key has not signed. */
  readonly #unusedUpTo = new Map<string, number>();

  constructor(line: AgentLine, stored: StoredDocuments | undefined) {
    this.#line = line;
    this.#stored = stored;
  }

  /** @throws AgentError of the agent, `peer.owner-only` when none of the witnesses can be asked */
  async hasSigned(key: ServerKey, timeoutMs: number): Promise<boolean> {
    if (this.#used.has(key.keyId)) return true;
    const { repository, role } = key;
    const { entries } = await this.#line.call('guard.show', { repository, role }, timeoutMs);
    if (entries.length === 0) return false;
    const isUsed = await this.#isOnRecord(key, timeoutMs);
    if (isUsed) this.#used.add(key.keyId);
    return isUsed;
  }

  async #isOnRecord(key: ServerKey, timeoutMs: number): Promise<boolean> {
    try {
      return await this.#isInLog(key, timeoutMs);
    } catch (thrown) {
      if (!(thrown instanceof AgentError) || thrown.code !== 'peer.owner-only') throw thrown;
      if (this.#stored === undefined) {
        throw new AgentError('peer.owner-only', {
          message:
            'this gateway does not run as the owner of the agent, so it cannot see which keys are in use',
          hint: 'start it with --server URL: then it asks the notary-server',
        });
      }
      return this.#stored.isNamed(key, timeoutMs);
    }
  }

  /** The first look may read far back, the later ones only what came since. */
  async #isInLog({ name, keyId }: ServerKey, timeoutMs: number): Promise<boolean> {
    const after = this.#unusedUpTo.get(keyId);
    const query = {
      key: name,
      outcome: 'signed',
      limit: 1,
      ...(after === undefined ? {} : { after }),
    } as const;
    const { records, last } = await this.#line.call('audit.query', query, timeoutMs);
    this.#unusedUpTo.set(keyId, last);
    // An earlier epoch had the same name.
    return records.some((record) => record['keyId'] === keyId);
  }
}
