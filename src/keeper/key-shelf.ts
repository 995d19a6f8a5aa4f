/**
 * Every key the keeper could sign with: leaves behind native handles, and keys that live on an unlocked token. An
 * order names a key by its id; what may be done with it comes from its record and from the leases that cover it.
 */
import { AgentError } from '../errors/agent-error.js';
import type { Leaf } from '../crypto/leaf.js';
import { Verifier } from '../crypto/verify.js';
import type { LeafRecord, RootRecord, TokenHome } from '../keys/key-record.js';
import type { Lease } from './lease.js';

/** Where a key lives on a token that is configured. */
export interface ShelfHome {
  readonly token: string;
  readonly home: TokenHome;
}

export interface ShelfKey {
  readonly record: RootRecord | LeafRecord;
  readonly role: string;
  /** Present while a lease covers the key and it was derived. */
  leaf: Leaf | undefined;
  /** Present while the token that holds the key is unlocked. */
  home: ShelfHome | undefined;
  readonly leases: Lease[];
  readonly verifier: Verifier;
}

/** Raw bytes of a hex key id as latin1, the form orders carry. */
export function rawKeyId(hex: string): string {
  return Buffer.from(hex, 'hex').toString('latin1');
}

export class KeyShelf {
  readonly #keys = new Map<string, ShelfKey>();

  /** Takes the records of the keyring; keys that left it are wiped, loaded ones stay. */
  stock(records: readonly (RootRecord | LeafRecord)[]): void {
    const wanted = new Set(records.map((record) => rawKeyId(record.keyId)));
    for (const [id, key] of this.#keys) {
      if (!wanted.has(id)) {
        key.leaf?.wipe();
        this.#keys.delete(id);
      }
    }
    // A root of several repositories stands there once for each: it is active while it is in one of them.
    for (const record of records) if (!isActive(record)) this.put(record);
    for (const record of records) if (isActive(record)) this.put(record);
  }

  /** Adds or refreshes one record, keeping what is loaded for it. */
  put(record: RootRecord | LeafRecord): ShelfKey {
    const id = rawKeyId(record.keyId);
    const known = this.#keys.get(id);
    const key: ShelfKey = {
      record,
      role: record.usage === 'root' ? 'root' : record.role,
      leaf: known?.leaf,
      home: known?.home,
      leases: known?.leases ?? [],
      verifier: known?.verifier ?? new Verifier(Buffer.from(record.publicKey, 'base64')),
    };
    if (record.usage === 'sign' && record.state !== 'active') dropLeaf(key);
    this.#keys.set(id, key);
    return key;
  }

  /** @param rawId 32 raw bytes as latin1 */
  find(rawId: string): ShelfKey | undefined {
    return this.#keys.get(rawId);
  }

  /** @throws AgentError `key.unknown` */
  get(hex: string): ShelfKey {
    const key = this.#keys.get(rawKeyId(hex));
    if (key === undefined) throw new AgentError('key.unknown');
    return key;
  }

  all(): IterableIterator<ShelfKey> {
    return this.#keys.values();
  }

  /** Lets `lease` cover its keys. */
  cover(lease: Lease): void {
    for (const hex of lease.keys) {
      const key = this.#keys.get(rawKeyId(hex));
      if (key !== undefined && !key.leases.includes(lease)) key.leases.push(lease);
    }
  }

  /** Ends what `lease` covered: keys that no other lease covers are wiped, those that `spare` names excepted. */
  uncover(lease: Lease, spare: (key: ShelfKey) => boolean): void {
    for (const key of this.#keys.values()) {
      const at = key.leases.indexOf(lease);
      if (at < 0) continue;
      key.leases.splice(at, 1);
      if (key.leases.length === 0 && !spare(key)) dropLeaf(key);
    }
  }

  /** The token was locked or lost: nothing on it can sign. */
  forgetHome(token: string): void {
    for (const key of this.#keys.values()) {
      if (key.home?.token === token) key.home = undefined;
    }
  }

  /** Wipes every leaf that no lease covers. */
  wipeUncovered(): void {
    for (const key of this.#keys.values()) if (key.leases.length === 0) dropLeaf(key);
  }

  wipeAll(): void {
    for (const key of this.#keys.values()) {
      key.leases.length = 0;
      dropLeaf(key);
    }
  }
}

function isActive(record: RootRecord | LeafRecord): boolean {
  return record.usage === 'root' || record.state === 'active';
}

function dropLeaf(key: ShelfKey): void {
  key.leaf?.wipe();
  key.leaf = undefined;
}
