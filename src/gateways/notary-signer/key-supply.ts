/**
 * Keys on request. A server asks for one whenever a repository has none it knows, so anybody who may push could have any number made: a
 * key that has never signed is therefore handed out again. The next one gets the next index, and the ones before stay as they are,
 * because the root of the repository goes on naming them until its owner publishes another root.
 */
import { AgentError } from '../../errors/agent-error.js';
import type { AgentLine } from './agent-line.js';
import {
  serverKeyName,
  serverKeyOf,
  type ServerAlgorithm,
  type ServerKey,
  type ServerRole,
} from './server-key.js';
import type { ServerKeys } from './server-keys.js';

export interface KeyWish {
  readonly gun: string;
  readonly role: ServerRole;
  readonly algorithm: ServerAlgorithm;
}

export class KeySupply {
  readonly #line: AgentLine;
  readonly #keys: ServerKeys;
  readonly #used = new Set<string>();
  /** Sequence of the audit log up to which a key has not signed. */
  readonly #unusedUpTo = new Map<string, number>();

  constructor(line: AgentLine, keys: ServerKeys) {
    this.#line = line;
    this.#keys = keys;
  }

  /** A key that nobody has used yet. @throws AgentError of the agent; `key.locked` when nothing is unlocked */
  async obtain(wish: KeyWish, timeoutMs: number): Promise<ServerKey> {
    const { gun, role, algorithm } = wish;
    const all = await this.#keys.list(timeoutMs);
    const own = all.filter(
      (key) => key.repository === gun && key.role === role && key.algorithm === algorithm,
    );
    const newest = own.reduce<ServerKey | undefined>(
      (a, b) => (a === undefined || b.index >= a.index ? b : a),
      undefined,
    );
    if (newest?.state === 'active' && !(await this.#hasSigned(newest, timeoutMs))) return newest;
    const index = newest === undefined ? 0 : newest.index + 1;
    const name = serverKeyName(gun, role, algorithm, index);
    const { key } = await this.#line.call('keys.derive', { key: name }, timeoutMs);
    const made = serverKeyOf(key);
    if (made !== undefined) return made;
    throw new AgentError('internal.unexpected', {
      message: 'internal: the derived key is none for a server',
    });
  }

  /** The audit log knows: it has a line for every signature. The first look may read far back, the later ones only what came since. */
  async #hasSigned({ name, keyId }: ServerKey, timeoutMs: number): Promise<boolean> {
    if (this.#used.has(keyId)) return true;
    const after = this.#unusedUpTo.get(keyId);
    const query = {
      key: name,
      outcome: 'signed',
      limit: 1,
      ...(after === undefined ? {} : { after }),
    } as const;
    const { records, last } = await this.#line.call('audit.query', query, timeoutMs);
    // An earlier epoch had the same name.
    const isUsed = records.some((record) => record['keyId'] === keyId);
    if (isUsed) this.#used.add(keyId);
    else this.#unusedUpTo.set(keyId, last);
    return isUsed;
  }
}
