/** The keys that a root names beside its own: a leaf for targets, keys of the server for the rest, or a leaf for the snapshot too. */
import type { NotaryKey } from '../formats/notary1/key.js';
import { formatKeyName } from '../keys/key-name.js';
import type { RoleSigner } from './role-signer.js';
import type { ServerRole, TrustServer } from './server.js';

export type OnlineRole = 'targets' | ServerRole;

export interface OnlineKey {
  readonly key: NotaryKey;
  /** Name of the leaf; undefined for a key of the server. */
  readonly leaf: string | undefined;
}

export interface OnlineChoice {
  /** Who keeps the snapshot key. */
  readonly snapshot: 'server' | 'client';
  /** Roles for which the server makes itself a new key. */
  readonly rotate: readonly ServerRole[];
}

export class OnlineKeys {
  readonly #server: Pick<TrustServer, 'repository' | 'serverKey' | 'rotateServerKey'>;
  readonly #signer: Pick<RoleSigner, 'derive'>;
  readonly #choice: OnlineChoice;

  constructor(
    {
      server,
      signer,
    }: {
      readonly server: Pick<TrustServer, 'repository' | 'serverKey' | 'rotateServerKey'>;
      readonly signer: Pick<RoleSigner, 'derive'>;
    },
    choice: OnlineChoice,
  ) {
    this.#server = server;
    this.#signer = signer;
    this.#choice = choice;
  }

  /** The key of a role, made where there is none. @throws AgentError of agent and server */
  async of(role: OnlineRole): Promise<OnlineKey> {
    const { snapshot, rotate } = this.#choice;
    if (role === 'targets' || (role === 'snapshot' && snapshot === 'client')) {
      const { name, key } = await this.#signer.derive(
        formatKeyName({ repository: this.#server.repository, role }),
      );
      return { key, leaf: name };
    }
    const key = rotate.includes(role)
      ? await this.#server.rotateServerKey(role)
      : await this.#server.serverKey(role);
    return { key, leaf: undefined };
  }
}
