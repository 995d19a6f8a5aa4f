/** Data objects of the PIV application: certificates and the cardholder's papers, read by anybody but for a few. */
import { StatusWordError, SW } from './status-word.js';
import { tlv } from './tlv.js';

const MAX_OBJECT_BYTES = 3052;
/** Printed information, fingerprints, face and iris want the PIN. */
const PIN_PROTECTED = new Set(['5fc109', '5fc103', '5fc108', '5fc121']);
const DISCOVERY = '7e';
const DISCOVERY_OBJECT = tlv(
  0x7e,
  tlv(0x4f, Buffer.from('a000000308000010000100', 'hex')),
  tlv(0x5f2f, Buffer.from('4000', 'hex')),
);

export const ATTESTATION_CERTIFICATE = '5fff01';

export class DataObjects {
  readonly #objects = new Map<string, Buffer>();

  /** The object with its outer tag. @param id lower-case hex @throws StatusWordError 6a82, 6982 */
  get(id: string, pinVerified: boolean): Buffer {
    if (id === DISCOVERY) return DISCOVERY_OBJECT;
    if (PIN_PROTECTED.has(id) && !pinVerified) throw new StatusWordError(SW.securityNotSatisfied);
    const found = this.#objects.get(id);
    if (found === undefined) throw new StatusWordError(SW.fileNotFound);
    return tlv(0x53, found);
  }

  /** An empty object is a deleted one. @throws StatusWordError 6a80, 6a84 */
  put(id: string, content: Buffer): void {
    if (!/^5f(c1|ff)[0-9a-f]{2}$/.test(id)) throw new StatusWordError(SW.wrongData);
    if (content.length > MAX_OBJECT_BYTES) throw new StatusWordError(SW.noSpace);
    if (content.length === 0) this.#objects.delete(id);
    else this.#objects.set(id, Buffer.from(content));
  }

  /** What a reset leaves: the attestation certificate. */
  clear(): void {
    for (const id of this.#objects.keys()) if (id !== ATTESTATION_CERTIFICATE) this.#objects.delete(id);
  }
}
