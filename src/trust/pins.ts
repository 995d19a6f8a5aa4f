/** What makes a first root believable: a certificate, or an authority, per repository or prefix of repositories; else the first one seen. */
import type { X509Certificate } from 'node:crypto';
import { createHash } from 'node:crypto';
import { decodeBase64 } from '../encoding/base64.js';
import { splitCertificates } from '../formats/notary1/certificate-chain.js';
import type { NotaryKey } from '../formats/notary1/key.js';
import { isIssuedBy } from './issuing.js';

export type Pin =
  /** TUF ids of root keys, certificate and all. */
  | { readonly repository: string; readonly certificates: readonly string[] }
  /** Authorities. */
  | { readonly repository: string; readonly authorities: readonly X509Certificate[] };

export class PinSet {
  readonly #pins: readonly Pin[];
  /** Whether a repository without a pin is believed at first sight. */
  readonly firstUse: boolean;

  constructor(pins: readonly Pin[], firstUse: boolean) {
    this.#pins = pins;
    this.firstUse = firstUse;
  }

  /** The pin for a repository: certificates before authorities, the name itself before prefixes, longer ones before shorter. */
  find(repository: string): Pin | undefined {
    const fitting = this.#pins.filter((pin) => fits(pin.repository, repository));
    return [...fitting].sort((a, b) => rank(b) - rank(a))[0];
  }
}

/** A line that names the pin and changes with it. */
export function anchorOf(pin: Pin): string {
  if ('certificates' in pin) return `certificate ${[...pin.certificates].sort().join(' ')}`;
  const prints = pin.authorities.map(({ raw }) => createHash('sha256').update(raw).digest('hex'));
  return `authority ${prints.sort().join(' ')}`;
}

/**
 * Whether a root is the pinned one, going by the keys that really signed it. Of pinned certificates as many must have signed as the root's
 * threshold says, or all of them when fewer are pinned.
 */
export function admits(
  pin: Pin,
  signers: ReadonlyMap<string, NotaryKey>,
  threshold: number,
  nowMs: number,
): boolean {
  if ('certificates' in pin) {
    const ids = new Set(pin.certificates);
    const signed = [...ids].filter((id) => signers.has(id)).length;
    return signed > 0 && signed >= Math.min(threshold, ids.size);
  }
  const issued = [...signers.values()].filter((key) => isIssued(key, pin.authorities, nowMs));
  return issued.length >= threshold;
}

function fits(pattern: string, repository: string): boolean {
  return pattern.endsWith('*') ? repository.startsWith(pattern.slice(0, -1)) : pattern === repository;
}

/** Higher goes first. */
function rank(pin: Pin): number {
  const length = pin.repository.length;
  const isExact = !pin.repository.endsWith('*');
  return ('certificates' in pin ? 1e6 : 0) + (isExact ? 1e5 : 0) + length;
}

function isIssued(key: NotaryKey, authorities: readonly X509Certificate[], nowMs: number): boolean {
  const pem = decodeBase64(key.public, 'reading a root key', 'notary.document').toString('utf8');
  const [leaf, ...between] = splitCertificates(pem);
  return leaf !== undefined && isIssuedBy(leaf, between, authorities, nowMs);
}
