/**
 * The records of the keyring: what is publicly known of every key. Pure data; nothing here is secret.
 */

import type { KeyAlgorithm } from '../crypto/algorithms.js';
import type { DerivationBackend, ObjectBackend } from '../crypto/derive.js';

export type { DerivationBackend, KeyAlgorithm, ObjectBackend };

export type KeyState = 'active' | 'retired' | 'revoked';

/** An object on a token: RFC 7512 URI of the token (label and serial), CKA_ID in hex, CKA_LABEL. */
export interface TokenHome {
  readonly token: string;
  readonly id: string;
  readonly label: string;
}

interface KeyBase {
  /** Lower-case hex SHA-256 of the DER SubjectPublicKeyInfo, 64 characters. */
  readonly keyId: string;
  readonly algorithm: KeyAlgorithm;
  /** DER SubjectPublicKeyInfo, base64. */
  readonly publicKey: string;
  /** RFC 3339, whole seconds, Z. */
  readonly createdAt: string;
}

/** A key on a card when the keyring was made: what the card said of itself and of the key. */
export interface CardEvidence {
  /** Decimal, as printed on the card. */
  readonly serial: string;
  /** Such as 5.4.3. */
  readonly firmware: string;
  /** When the key wants the PIN and a touch; left out where the card does not say. */
  readonly pin?: 'never' | 'once' | 'always' | undefined;
  readonly touch?: 'never' | 'always' | 'cached' | undefined;
  /** For keys that were made on the card: its word about the key, and the vendor's about the card; certificates, DER in base64. */
  readonly attestation?: string | undefined;
  readonly device?: string | undefined;
  /** SHA-256 of the vendor's root that the two were checked against, hex; left out when nobody checked. */
  readonly root?: string | undefined;
}

/** The on-token key that signs the anchor of the keyring, and roots of repositories where a client names it as `RepositoryRoot`. */
export interface RootRecord extends KeyBase {
  readonly usage: 'root';
  readonly name: 'touchstone/root#root';
  readonly home: TokenHome;
  readonly card?: CardEvidence | undefined;
}

/** The same key as clients name it, `REPOSITORY#root`: it then signs for that repository and for no other. In no file. */
export interface RepositoryRoot extends KeyBase {
  readonly usage: 'repository-root';
  readonly name: string;
  readonly repository: string;
  readonly role: 'root';
  readonly home: TokenHome;
}

/** The on-token key that only derives. `hmac` secrets and OTP slots have no public key. */
export interface DerivationRecord {
  readonly usage: 'derive';
  readonly name: 'touchstone/derivation#derive';
  readonly backend: DerivationBackend;
  readonly home: TokenHome;
  /** `ec` only: DER SubjectPublicKeyInfo, base64, and its key id. */
  readonly publicKey?: string | undefined;
  readonly keyId?: string | undefined;
  /** `otp` only: check value of passphrase and slot over the context of the audit leaf, hex. */
  readonly check?: string | undefined;
  readonly backup: 'generated' | 'imported';
  readonly createdAt: string;
  readonly card?: CardEvidence | undefined;
}

/** A repository key, derived or made on a token. `homes` lists tokens that hold it as a non-extractable object (`key install`). */
export interface LeafRecord extends KeyBase {
  readonly usage: 'sign';
  readonly repository: string;
  readonly role: string;
  readonly epoch: number;
  readonly index: number;
  readonly state: KeyState;
  readonly retiredAt?: string | undefined;
  readonly revokedAt?: string | undefined;
  readonly revokedReason?: string | undefined;
  readonly homes: readonly TokenHome[];
  /** Made on the token that is its home, and nowhere else; left out for derived keys. */
  readonly origin?: 'token' | undefined;
}

export type KeyRecord = RootRecord | DerivationRecord | LeafRecord;

/** A key that a client can sign with: of one repository, in one role. */
export type ClientKey = LeafRecord | RepositoryRoot;

/** The root-signed part: made at creation, changed only by the root. */
export interface KeyringAnchor {
  readonly format: 'touchstone-keyring-anchor';
  /** 2 where an OTP slot derives, 3 where a card is described; older releases refuse the file instead of misreading it. */
  readonly version: 1 | 2 | 3;
  /** Trust domain of every derivation context. */
  readonly domain: string;
  readonly createdAt: string;
  readonly root: RootRecord;
  readonly derivation: DerivationRecord;
  /** The leaf `touchstone/agent#audit` that signs derived additions and audit checkpoints. */
  readonly audit: LeafRecord;
}

/** The part signed by the audit leaf: every leaf derived since, in order of creation. */
export interface KeyringRecords {
  readonly format: 'touchstone-keyring-records';
  /** 2 from the first key on that was made on a token; releases that know only 1 refuse the file instead of misreading it. */
  readonly version: 1 | 2;
  /** Lower-case hex SHA-256 of the anchor's payload bytes. */
  readonly anchor: string;
  /** Grows by one with each change; a lower one than remembered is refused. */
  readonly sequence: number;
  readonly leaves: readonly LeafRecord[];
}
