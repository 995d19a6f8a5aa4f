/** What front and keeper say to each other about setting up a card. */
import type { ErrorData } from '../errors/agent-error.js';
import type { CardEvidence } from '../keys/key-record.js';
import type { CardPolicies } from '../tokenhost/messages.js';

/** How the keys on a card are to be used; `always` and `cached` when left out. */
export interface CardChoices {
  readonly rootTouch?: CardPolicies['touch'] | undefined;
  readonly derivationTouch?: CardPolicies['touch'] | undefined;
}

/** What becomes of one slot of a card. */
export interface CardSlotPlan {
  readonly slot: string;
  /** `replace` loses what is there; `keep` is what an interrupted set-up has made; `adopt` is what anybody has. */
  readonly action: 'make' | 'replace' | 'keep' | 'adopt';
  readonly pin?: CardPolicies['pin'] | undefined;
  readonly touch?: CardPolicies['touch'] | undefined;
}

export type CardWarning =
  /** Firmware before 5.7: ECDSA keys can be read by who has the card, equipment and time. */
  | 'ecdsa-side-channel'
  /** Firmware 4.2.6 to 4.3.4: RSA keys made on the card are weak, and the one that attests is such a key. */
  | 'roca'
  /** Firmware before 5.3: keys that were imported without a certificate do not show. */
  | 'hidden-keys'
  | 'puk-unknown'
  /** The configuration names no roots. */
  | 'attestation-unchecked'
  /** The derivation key works without a touch, or nobody knows. */
  | 'without-touch';

/** What a set-up of a card does, in this order. */
export interface CardPlan {
  readonly token: string;
  readonly serial: string;
  readonly firmware: string;
  /** `change`: the factory's becomes the one that is entered; `enter`: there is one already. */
  readonly pin: 'change' | 'enter';
  readonly puk: 'change' | 'keep' | 'unknown';
  /** `change`: a random one is stored on the card; `use`: one is stored there already. Left out where nothing is made. */
  readonly managementKey?: 'change' | 'use' | undefined;
  readonly root: CardSlotPlan;
  readonly derivation: CardSlotPlan;
  readonly vendor: 'yubico' | 'configured' | 'unchecked';
  readonly warnings: readonly CardWarning[];
  /** Why it cannot be done as things are. */
  readonly refusals: readonly ErrorData[];
}

/** The key in the slot for roots, as a card shows it to anybody. */
export interface ShownCardKey extends CardEvidence {
  /** Two hex digits. */
  readonly slot: string;
  /** DER SubjectPublicKeyInfo, base64. */
  readonly publicKey: string;
  /** That of the key in the slot for deriving, if there is one. */
  readonly derivationKey?: string | undefined;
}

/** How far a set-up is. */
export type SetupStep =
  'pin' | 'puk' | 'management-key' | 'root-key' | 'derivation-key' | 'certificates' | 'keyring';
