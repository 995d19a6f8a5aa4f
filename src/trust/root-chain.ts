/** From a root that is believed to the one in force: each signed by enough keys of the one before it and of its own. */
import { asAgentError, AgentError } from '../errors/agent-error.js';
import type { RootDocument } from '../formats/notary1/document.js';
import type { NotaryKey } from '../formats/notary1/key.js';
import { readEnvelope, type SignedDocument } from '../formats/notary1/reader.js';
import { checkRootCertificate } from '../formats/notary1/root-certificate.js';
import { signersOf } from '../formats/notary1/signature.js';
import { checkSignatures } from './file-check.js';
import type { SeenCollection } from './memory.js';
import type { MetadataSource } from './metadata-source.js';
import { admits, anchorOf, type PinSet } from './pins.js';

export const FIRST_USE = 'first-use';
/** One rotation a month for twenty years. */
const MAX_ROTATIONS = 256;

type SignedRoot = SignedDocument<RootDocument>;

export interface RootCircumstances {
  readonly pins: PinSet;
  readonly seen: SeenCollection | undefined;
  readonly nowMs: number;
  /** For whoever renews what has expired. */
  readonly tolerateExpired: boolean;
}

export interface TrustedRoot {
  readonly root: SignedRoot;
  readonly anchor: string;
  readonly warnings: readonly string[];
}

/**
 * The root in force, verified but for its date, which is judged with those of the other roles.
 * @throws AgentError `notary.missing`, `notary.pin`, `notary.rollback`, `notary.threshold`, `notary.document`, `notary.expired` for a
 *   certificate
 */
export async function trustedRoot(source: MetadataSource, now: RootCircumstances): Promise<TrustedRoot> {
  const file = await source.fetch('root');
  if (file === undefined) throw missing(source.repository, now.seen);
  const current = readEnvelope(file, 'root');
  const reader = new RootReader(source, now, current);
  const start = await reader.start();
  await reader.climb(start.root);
  const warnings = reader.checkInForce();
  return { root: current, anchor: start.anchor, warnings: [...start.warnings, ...warnings] };
}

class RootReader {
  readonly #source: MetadataSource;
  readonly #now: RootCircumstances;
  readonly #current: SignedRoot;
  readonly #older = new Map<number, SignedRoot>();

  constructor(source: MetadataSource, now: RootCircumstances, current: SignedRoot) {
    this.#source = source;
    this.#now = now;
    this.#current = current;
  }

  /** The root that is believed without looking at the server's word, or at first use. */
  async start(): Promise<TrustedRoot> {
    const { pins, seen } = this.#now;
    const pin = pins.find(this.#source.repository);
    const wanted = pin === undefined ? undefined : anchorOf(pin);
    if (seen !== undefined && (wanted === undefined ? pins.firstUse : wanted === seen.anchor)) {
      return { root: readEnvelope(seen.root, 'root'), anchor: seen.anchor, warnings: [] };
    }
    if (wanted !== undefined) return { root: await this.#pinned(), anchor: wanted, warnings: [] };
    if (!pins.firstUse) throw this.#notPinned('there is no pin for it, and first use is not trusted');
    return { root: this.#current, anchor: FIRST_USE, warnings: [this.#firstUseWarning()] };
  }

  /** Verifies every root from the one after `start` to the current one. */
  async climb(start: SignedRoot): Promise<void> {
    const target = this.#current.document.version;
    const from = start.document.version;
    if (target < from || (target === from && !start.signedBytes.equals(this.#current.signedBytes))) {
      throw this.#rolledBack(from, target);
    }
    if (target - from > MAX_ROTATIONS) throw this.#broken(`there are more than ${MAX_ROTATIONS} of them`);
    this.#requireOwn(start);
    let trusted = start;
    for (let version = from + 1; version <= target; version += 1) {
      const next = await this.#root(version);
      if (next === undefined) throw this.#broken(`the server has no version ${version}`);
      const { roles, keys } = trusted.document;
      checkSignatures(`version ${version} of root by the keys before it`, next, roles.root, keys);
      this.#requireOwn(next);
      trusted = next;
    }
  }

  /** Certificates of the current root. */
  checkInForce(): readonly string[] {
    const { document } = this.#current;
    const judged = [...this.#signers(this.#current).values()].map((key) => this.#judgeCertificate(key));
    const refusals = judged.filter((one) => one instanceof AgentError);
    // Signatures were counted before: what is missing now is missing because of a certificate.
    if (judged.length - refusals.length < document.roles.root.threshold && refusals[0] !== undefined) {
      throw refusals[0];
    }
    return judged.filter((one) => typeof one === 'string');
  }

  /** A warning, why it does not count, or nothing to say. */
  #judgeCertificate(key: NotaryKey): string | AgentError | undefined {
    const { nowMs, tolerateExpired } = this.#now;
    try {
      return checkRootCertificate(key, this.#source.repository, nowMs);
    } catch (thrown) {
      const error = asAgentError(thrown);
      return tolerateExpired && error.code === 'notary.expired' ? undefined : error;
    }
  }

  /** The root that was seen, if the new pin admits it, else the newest one that it admits. */
  async #pinned(): Promise<SignedRoot> {
    const { seen } = this.#now;
    const known = seen === undefined ? undefined : readEnvelope(seen.root, 'root');
    if (known !== undefined && this.#isPinned(known)) return known;
    const lowest = Math.max(1, this.#current.document.version - MAX_ROTATIONS);
    for (let version = this.#current.document.version; version >= lowest; version -= 1) {
      const root = await this.#root(version);
      if (root !== undefined && this.#isPinned(root)) return root;
    }
    throw this.#notPinned('no root of it is signed with what is pinned');
  }

  #isPinned(root: SignedRoot): boolean {
    const pin = this.#now.pins.find(this.#source.repository);
    const { threshold } = root.document.roles.root;
    const signers = this.#signers(root);
    return pin !== undefined && signers.size >= threshold && admits(pin, signers, threshold, this.#now.nowMs);
  }

  /** A root by version, its version checked, nothing else. */
  async #root(version: number): Promise<SignedRoot | undefined> {
    if (version === this.#current.document.version) return this.#current;
    const known = this.#older.get(version);
    if (known !== undefined) return known;
    const file = await this.#source.fetch('root', { version });
    if (file === undefined) return undefined;
    const root = readEnvelope(file, 'root');
    if (root.document.version !== version)
      throw this.#broken(`version ${version} says that it is another one`);
    this.#older.set(version, root);
    return root;
  }

  #requireOwn(root: SignedRoot): void {
    const { version, roles, keys } = root.document;
    checkSignatures(`version ${version} of root by its own keys`, root, roles.root, keys);
  }

  #signers({ document, signedBytes, signatures }: SignedRoot): ReadonlyMap<string, NotaryKey> {
    const ids = signersOf(signedBytes, signatures, document.roles.root.keyids, document.keys);
    const keys = ids.map((id) => [id, document.keys.get(id)] as const);
    return new Map(keys.flatMap(([id, key]) => (key === undefined ? [] : [[id, key] as const])));
  }

  #firstUseWarning(): string {
    const { repository } = this.#source;
    const [id] = this.#signers(this.#current).keys();
    return (
      `the root of ${repository} is trusted because it is the first one seen (${id?.slice(0, 16) ?? 'unsigned'}…); ` +
      `check it with its publisher, then "touchstone trust pin ${repository}"`
    );
  }

  #notPinned(why: string): AgentError {
    const { repository } = this.#source;
    return new AgentError('notary.pin', {
      message: `verifying the root of ${repository}: ${why}`,
      hint: `check with its publisher, then "touchstone trust pin ${repository} --certificate ID"`,
      details: { repository },
    });
  }

  #rolledBack(seen: number, version: number): AgentError {
    const { repository } = this.#source;
    const what = version === seen ? `another version ${version}` : `version ${version}`;
    return new AgentError('notary.rollback', {
      message: `verifying the root of ${repository}: ${what} is offered, version ${seen} was seen before`,
      hint: `if the repository was made anew, pin it: "touchstone trust pin ${repository} --certificate ID"`,
      details: { repository, version, seen },
    });
  }

  #broken(why: string): AgentError {
    return new AgentError('notary.document', {
      message: `following the roots of ${this.#source.repository}: ${why}`,
    });
  }
}

function missing(repository: string, seen: SeenCollection | undefined): AgentError {
  const gone = seen === undefined ? 'there is no trust data' : 'its trust data is gone from the server';
  return new AgentError('notary.missing', {
    message: `reading ${repository}: ${gone}`,
    details: { repository },
  });
}
