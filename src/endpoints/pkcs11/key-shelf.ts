/** All objects that callers may see, with their handles. A handle means the same object for as long as the front lives. */
import type { Agent } from '../../agent/agent.js';
import type { Peer } from '../../agent/peer.js';
import type { LeafRecord } from '../../keys/key-record.js';
import type { CertificateFolder, KeyCertificate } from './certificate-folder.js';
import { isDoorAlgorithm } from './door-algorithms.js';
import { keyObjects, type KeyObject } from './key-objects.js';

/** Objects by handle. */
export type ObjectView = ReadonlyMap<number, KeyObject>;

interface Shelved {
  readonly record: LeafRecord;
  readonly certificate: KeyCertificate | undefined;
  readonly objects: readonly (readonly [number, KeyObject])[];
}

/** Handles of one key are this far apart from those of the next; the class is what tells them apart. */
const HANDLES_PER_KEY = 8;

export class KeyShelf {
  readonly #policy: Pick<Agent['policy'], 'blindKeys'>;
  readonly #certificates: CertificateFolder;
  readonly #numbers = new Map<string, number>();
  readonly #shelved = new Map<string, Shelved>();

  constructor(policy: Pick<Agent['policy'], 'blindKeys'>, certificates: CertificateFolder) {
    this.#policy = policy;
    this.#certificates = certificates;
  }

  /** What the policy lets this caller use now, of the algorithms that travel here. */
  viewOf(peer: Peer): ObjectView {
    return new Map(this.#policy.blindKeys(peer).flatMap((record) => this.#objectsOf(record)));
  }

  #objectsOf(record: LeafRecord): readonly (readonly [number, KeyObject])[] {
    const { keyId, algorithm } = record;
    if (!isDoorAlgorithm(algorithm)) return [];
    const certificate = this.#certificates.find(keyId);
    const known = this.#shelved.get(keyId);
    if (known?.record === record && known.certificate === certificate) return known.objects;
    const first = this.#firstHandle(keyId);
    const objects = keyObjects({ ...record, algorithm }, certificate).map(
      (object) => [first + object.class, object] as const,
    );
    this.#shelved.set(keyId, { record, certificate, objects });
    return objects;
  }

  #firstHandle(keyId: string): number {
    const number = this.#numbers.get(keyId) ?? this.#numbers.size + 1;
    this.#numbers.set(keyId, number);
    return number * HANDLES_PER_KEY;
  }
}
