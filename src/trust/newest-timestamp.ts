/**
 * The way to a repository whose snapshot has expired while its publisher keeps the key: a notary-server wants to sign it anew before it
 * hands out a timestamp, cannot, and answers 500 to everybody. Older files it still gives by their version, and its timestamps count up
 * one by one: so the newest is found. For whoever renews or looks what is wrong; nobody else should take a timestamp that is not offered.
 */
import { AgentError } from '../errors/agent-error.js';
import type { FileChoice, MetadataSource } from './metadata-source.js';

/** No server has signed more. */
const MAX_VERSION = 2 ** 31;

export class NewestTimestamp implements MetadataSource {
  readonly repository: string;
  readonly #source: MetadataSource;

  constructor(source: MetadataSource) {
    this.repository = source.repository;
    this.#source = source;
  }

  /** As the source; a current timestamp that it fails to give is looked for by version. */
  async fetch(role: string, choice: FileChoice = {}): Promise<Buffer | undefined> {
    const isCurrent = choice.sha256 === undefined && choice.version === undefined;
    if (role !== 'timestamp' || !isCurrent) return this.#source.fetch(role, choice);
    try {
      return await this.#source.fetch(role, choice);
    } catch (cause) {
      if (!(cause instanceof AgentError) || cause.code !== 'notary.reply') throw cause;
      const found = await this.#newest();
      if (found === undefined) throw cause;
      return found;
    }
  }

  /** Steps double while there is one, and begin anew at one when there is none. */
  async #newest(): Promise<Buffer | undefined> {
    let [found, version, step]: [Buffer | undefined, number, number] = [undefined, 0, 1];
    while (version + step < MAX_VERSION) {
      const next = await this.#source.fetch('timestamp', { version: version + step });
      if (next === undefined && step === 1) break;
      if (next !== undefined) [found, version] = [next, version + step];
      step = next === undefined ? 1 : step * 2;
    }
    return found;
  }
}
