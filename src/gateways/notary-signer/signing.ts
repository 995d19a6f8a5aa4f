/** One signature for a server: the document is read here for the log, and read and judged by the agent, which decides. */
import { describe } from '../../formats/describe.js';
import type { AgentLine } from './agent-line.js';
import type { ServerKey } from './server-key.js';

export interface SignedDocument {
  readonly version: number;
  /** r||s for ECDSA, 64 bytes for Ed25519. */
  readonly signature: Buffer;
}

export class Signing {
  readonly #line: AgentLine;

  constructor(line: AgentLine) {
    this.#line = line;
  }

  /**
   * Signs the canonical JSON of a document of the key's role.
   * @throws AgentError `statement.unrecognised`, and of the agent
   */
  async sign(key: ServerKey, content: Buffer, timeoutMs: number): Promise<SignedDocument> {
    const kind = `notary.${key.role}`;
    const { document } = describe(kind, content);
    const request = { key: key.name, kind, payload: content.toString('base64') };
    const { signatures } = await this.#line.call('sign', { requests: [request], timeoutMs }, timeoutMs);
    const signature = Buffer.from(signatures[0]?.signature ?? '', 'base64');
    return { version: document?.version ?? 0, signature };
  }
}
