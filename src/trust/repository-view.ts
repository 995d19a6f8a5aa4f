/** A repository as its publisher looks at it: before, with a memory; afterwards, with the eyes of somebody who knows only the old root. */
import { AgentError } from '../errors/agent-error.js';
import type { Collection } from './collection.js';
import type { Draft, PublishedState } from './draft.js';
import { PassingMemory, type TrustMemory } from './memory.js';
import type { MetadataSource } from './metadata-source.js';
import { NewestTimestamp } from './newest-timestamp.js';
import { PinSet } from './pins.js';
import type { PendingDocument } from './publication.js';
import { FIRST_USE } from './root-chain.js';
import { storedInBetween } from './skipped-versions.js';
import { isShown, publishedVersion } from './standing.js';
import { LAST_VERSION, versionIn } from './stored-version.js';
import { updateCollection } from './update.js';

/** How the repository is read before and after. */
export interface Reading {
  readonly pins: PinSet;
  readonly memory: TrustMemory;
  /** For whoever renews what has expired. */
  readonly tolerateExpired: boolean;
}

export class RepositoryView {
  readonly #source: MetadataSource;
  readonly #reading: Reading;
  /** Versions of delegations that the server remembers and nobody delegates to. */
  readonly #forgotten = new Map<string, number>();

  constructor(source: MetadataSource, reading: Reading) {
    this.#source = source;
    this.#reading = reading;
  }

  /** The collection as a reader with a memory sees it; undefined when there is none. @throws AgentError `notary.…` */
  async read(): Promise<Collection | undefined> {
    const source = this.#reading.tolerateExpired ? new NewestTimestamp(this.#source) : this.#source;
    try {
      return await updateCollection(source, { ...this.#reading, nowMs: Date.now() });
    } catch (cause) {
      if (cause instanceof AgentError && cause.code === 'notary.missing') return undefined;
      throw cause;
    }
  }

  /**
   * A reader that knows nothing but the root of before finds its way to what was published.
   * @throws AgentError `notary.checksum` when it does not, `notary.…`
   */
  async readBack(documents: readonly PendingDocument[], base: PublishedState | undefined): Promise<void> {
    const { repository } = this.#source;
    const { memory, tolerateExpired } = this.#reading;
    const root = base?.root.file ?? documents.find(({ role }) => role === 'root')?.file;
    const start = new PassingMemory();
    if (root !== undefined) start.save(repository, { root, anchor: FIRST_USE, roles: new Map() });
    const shown = await updateCollection(this.#source, {
      pins: new PinSet([], true),
      memory: start,
      nowMs: Date.now(),
      tolerateExpired,
    });
    if (!isShown(documents, shown)) {
      throw new AgentError('notary.checksum', {
        message: `reading back ${repository}: the server does not show what it was given`,
      });
    }
    // Our own first root needs no first use.
    if (base === undefined && root !== undefined)
      memory.save(repository, { root, anchor: FIRST_USE, roles: new Map() });
  }

  /** The version that the next one of a role has to be above; 0 for a role that the server never had. */
  async storedVersion(base: PublishedState | undefined, role: string): Promise<number> {
    const published = publishedVersion(base, role);
    if (base === undefined || published > 0) return published;
    const known = this.#forgotten.get(role);
    if (known !== undefined) return known;
    const file = await this.#source.fetch(role);
    // What cannot be told cannot be followed either.
    const version = file === undefined ? 0 : (versionIn(file) ?? LAST_VERSION);
    this.#forgotten.set(role, version);
    return version;
  }

  /** As `storedVersion`, for everything that a draft signs. */
  async storedVersions({ base, changedTargets }: Draft): Promise<ReadonlyMap<string, number>> {
    const versions = new Map<string, number>();
    for (const role of changedTargets.keys()) versions.set(role, await this.storedVersion(base, role));
    return versions;
  }

  /**
   * Nobody stored a version that these documents jump over.
   * @param code `notary.conflict` is tried again, on top of the other one
   * @throws AgentError `code`
   */
  async requireNothingBetween(
    documents: readonly PendingDocument[],
    base: PublishedState | undefined,
    code: 'notary.conflict' | 'notary.overwritten',
  ): Promise<void> {
    if (base === undefined) return;
    const builtOn = new Map<string, number>();
    for (const { role } of documents) builtOn.set(role, await this.storedVersion(base, role));
    const roles = await storedInBetween(this.#source, documents, builtOn);
    if (roles.length === 0) return;
    throw new AgentError(code, {
      message: `publishing ${roles.join(', ')}: somebody stored another version in the same moment, which is overwritten now`,
      details: { roles },
    });
  }
}
