/** What the notary-server itself says it has stored, asked as every reader asks it. */
import { createHash } from 'node:crypto';
import { readEnvelope } from '../../formats/notary1/reader.js';
import { TrustServer } from '../../trust/server.js';
import type { ServerKey, ServerRole } from './server-key.js';

export interface ServerPlace {
  /** URL of the notary-server. */
  readonly server: string;
  /** PEM, trusted beside the usual authorities. */
  readonly ca?: string | undefined;
  /** Where docker's credentials are looked for, for a server that asks for a login. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
}

export class StoredDocuments {
  readonly #place: ServerPlace;

  constructor(place: ServerPlace) {
    this.#place = place;
  }

  /**
   * Hex SHA-256 of the signed bytes of this version, or undefined when the server has no such version.
   * @throws AgentError `notary.unreachable`, `notary.denied`, `notary.reply`, `notary.document`, `limits.deadline`
   */
  async sha256Of(
    repository: string,
    role: ServerRole,
    version: number,
    timeoutMs: number,
  ): Promise<string | undefined> {
    const file = await this.#server(repository, timeoutMs).fetch(role, { version });
    if (file === undefined) return undefined;
    return createHash('sha256').update(readEnvelope(file, role).signedBytes).digest('hex');
  }

  /** Whether the root of the repository names the key. @throws AgentError as `sha256Of` */
  async isNamed({ repository, role, id }: ServerKey, timeoutMs: number): Promise<boolean> {
    const file = await this.#server(repository, timeoutMs).fetch('root');
    return file !== undefined && readEnvelope(file, 'root').document.roles[role].keyids.includes(id);
  }

  #server(repository: string, timeoutMs: number): TrustServer {
    return new TrustServer(repository, { ...this.#place, deadline: Date.now() + timeoutMs });
  }
}
