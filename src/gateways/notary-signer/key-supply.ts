/**
 * Keys on request. A server asks for one whenever a repository has none it knows, so anybody who may push could have any number made: a
 * key that has never signed is therefore handed out again. The next one gets the next index, and the ones before stay as they are,
 * because the root of the repository goes on naming them until its owner publishes another root.
 */
import { AgentError } from '../../errors/agent-error.js';
import { parseKeyName } from '../../keys/key-name.js';
import type { AgentLine } from './agent-line.js';
import type { KeyUse } from './key-use.js';
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
  readonly #use: KeyUse;

  constructor(line: AgentLine, keys: ServerKeys, use: KeyUse) {
    this.#line = line;
    this.#keys = keys;
    this.#use = use;
  }

  /** A key that nobody has used yet. @throws AgentError of the agent; `key.locked` when nothing is unlocked */
  async obtain(wish: KeyWish, timeoutMs: number): Promise<ServerKey> {
    const { gun, role, algorithm } = wish;
    // What is no name of a repository is nothing to ask the agent about.
    parseKeyName(serverKeyName(gun, role, algorithm, 0));
    const all = await this.#keys.list(timeoutMs, gun);
    const own = all.filter((key) => key.role === role && key.algorithm === algorithm);
    const newest = own.reduce<ServerKey | undefined>(
      (a, b) => (a === undefined || b.index >= a.index ? b : a),
      undefined,
    );
    if (newest?.state === 'active' && !(await this.#use.hasSigned(newest, timeoutMs))) return newest;
    const index = newest === undefined ? 0 : newest.index + 1;
    const name = serverKeyName(gun, role, algorithm, index);
    const made = await this.#derive(name, timeoutMs);
    if (made !== undefined) return made;
    throw new AgentError('internal.unexpected', {
      message: 'internal: the derived key is none for a server',
    });
  }

  async #derive(name: string, timeoutMs: number): Promise<ServerKey | undefined> {
    try {
      const { key } = await this.#line.call('keys.derive', { key: name }, timeoutMs);
      return serverKeyOf(key);
    } catch (thrown) {
      if (!(thrown instanceof AgentError) || thrown.code !== 'peer.owner-only') throw thrown;
      throw new AgentError('peer.owner-only', {
        message: `there is no unused key ${name}, and only the owner of the agent derives one`,
        hint: `ask the owner for: touchstone key derive '${name}'`,
      });
    }
  }
}
