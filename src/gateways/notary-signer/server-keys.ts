/**
 * From the ids of a notary-server to keys of the agent. Nothing is kept on disk: an id follows from the public key, and the public keys
 * stand in the keyring. What is remembered here only saves asking for the whole list again.
 */
import { listKeys } from '../../client/key-list.js';
import { AgentError } from '../../errors/agent-error.js';
import type { AgentLine } from './agent-line.js';
import { SERVER_ROLES, serverKeyOf, type ServerKey } from './server-key.js';

export class ServerKeys {
  readonly #line: AgentLine;
  /** Names by TUF key id. */
  readonly #names = new Map<string, string>();

  constructor(line: AgentLine) {
    this.#line = line;
  }

  /**
   * Every key a server could hold, of all repositories or of one, retired and revoked ones too.
   * @throws AgentError of the agent, limits.deadline
   */
  async list(timeoutMs: number, repository?: string): Promise<readonly ServerKey[]> {
    const deadline = Date.now() + timeoutMs;
    const wanted = { all: true, ...(repository === undefined ? {} : { repository }) };
    const found: ServerKey[] = [];
    for (const role of SERVER_ROLES) {
      const { keys } = await listKeys(
        (page) => this.#line.call('keys.list', page, Math.max(1, deadline - Date.now())),
        { ...wanted, role },
      );
      found.push(...keys.flatMap((info) => serverKeyOf(info) ?? []));
    }
    for (const { id, name } of found) this.#names.set(id, name);
    return found;
  }

  /**
   * The key with this TUF key id, as the agent has it now.
   * @throws AgentError `key.unknown` only when the agent answered and has no such key
   */
  async find(id: string, timeoutMs: number): Promise<ServerKey> {
    const remembered = await this.#remembered(id, timeoutMs);
    const found = remembered ?? (await this.list(timeoutMs)).find((key) => key.id === id);
    if (found !== undefined) return found;
    throw new AgentError('key.unknown', {
      message: 'the keyring has no key with the id that the notary-server asks for',
      hint: 'rotate the key at the server: notary key rotate GUN timestamp|snapshot -r',
    });
  }

  /** A name may mean another key by now, after a rotation by hand. */
  async #remembered(id: string, timeoutMs: number): Promise<ServerKey | undefined> {
    const name = this.#names.get(id);
    if (name === undefined) return undefined;
    try {
      const { key } = await this.#line.call('keys.show', { key: name }, timeoutMs);
      const shown = serverKeyOf(key);
      return shown?.id === id ? shown : undefined;
    } catch (thrown) {
      if (thrown instanceof AgentError && thrown.code.startsWith('key.')) return undefined;
      throw thrown;
    }
  }
}
