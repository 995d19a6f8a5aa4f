/** Whose key is which: what the policy knows, and who was enrolled for this ceremony. */
import type { CeremonyPolicy, HeldToken, Holder } from './policy.js';
import { keyIdOfSpki, type Enrolment } from './enrolment.js';

/** A root key and where it is. */
export interface HeldKey {
  readonly keyId: string;
  readonly holder: string;
  readonly serial: string;
  readonly model: string;
  /** DER SubjectPublicKeyInfo, base64. */
  readonly publicKey: string;
}

/** Of the id of a key: eight would be found again by trying keys, in minutes. */
const SHOWN_DIGITS = 16;

export class HolderBook {
  readonly #keys: ReadonlyMap<string, HeldKey>;

  constructor(policy: CeremonyPolicy, enrolments: Iterable<Enrolment>) {
    const held = policy.holders.flatMap(({ name, tokens }) => tokens.map((token) => heldKey(name, token)));
    const entering = [...enrolments].map((one) =>
      heldKey(one.holder, { ...one.token, publicKey: one.publicKey }),
    );
    this.#keys = new Map([...held, ...entering].map((key) => [key.keyId, key]));
  }

  find(keyId: string): HeldKey | undefined {
    return this.#keys.get(keyId);
  }

  /** Keys of one person, or all. */
  keys(holder?: string): readonly HeldKey[] {
    return [...this.#keys.values()].filter((key) => holder === undefined || key.holder === holder);
  }

  /** `alice (d76b03f1a5b6c7d8, SoftHSM v2 18158855)`, or the start of the id of a key that nobody here holds. */
  nameOf(keyId: string): string {
    const key = this.#keys.get(keyId);
    const short = keyId.slice(0, SHOWN_DIGITS);
    return key === undefined ? `key ${short}` : `${key.holder} (${short}, ${key.model} ${key.serial})`;
  }
}

/** Who holds root keys after the ceremony: those who left are gone, those who entered are there. */
export function holdersAfter(
  policy: CeremonyPolicy,
  enrolments: readonly Enrolment[],
  change: {
    readonly leaves: readonly string[];
    readonly enters: readonly string[];
    readonly attested: ReadonlySet<string>;
  },
): readonly Holder[] {
  const known = new Set(
    policy.holders.flatMap(({ tokens }) => tokens.map((one) => keyIdOfSpki(one.publicKey))),
  );
  const entering = enrolments.filter(({ keyId }) => change.enters.includes(keyId) && !known.has(keyId));
  const names = [
    ...new Set([...policy.holders.map(({ name }) => name), ...entering.map(({ holder }) => holder)]),
  ];
  const holders = names.map((name) => {
    const had = policy.holders.find((one) => one.name === name)?.tokens ?? [];
    const kept = had.filter((one) => !change.leaves.includes(keyIdOfSpki(one.publicKey)));
    const gets = entering.filter(({ holder }) => holder === name).map((one) => tokenOf(one, change.attested));
    return { name, tokens: [...kept, ...gets] };
  });
  return holders.filter(({ tokens }) => tokens.length > 0).sort((a, b) => (a.name < b.name ? -1 : 1));
}

function tokenOf({ token, publicKey, keyId }: Enrolment, attested: ReadonlySet<string>): HeldToken {
  const { serial, model, firmware } = token;
  return { serial, model, publicKey, firmware, attested: attested.has(keyId) };
}

function heldKey(
  holder: string,
  {
    serial,
    model,
    publicKey,
  }: { readonly serial: string; readonly model: string; readonly publicKey: string },
): HeldKey {
  return { keyId: keyIdOfSpki(publicKey), holder, serial, model, publicKey };
}
