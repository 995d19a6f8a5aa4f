/** A keyring whose root and audit leaf are software keys of node:crypto, so that tests can sign it anew. */
import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import type { KeyAlgorithm } from '../../src/crypto/algorithms.js';
import { keyIdOf } from '../../src/crypto/key-id.js';
import { emptyRecords } from '../../src/keys/keyring-change.js';
import {
  anchorHash,
  buildKeyringFile,
  envelopeOf,
  unsignedAnchor,
  unsignedRecords,
  type UnsignedPart,
} from '../../src/keys/keyring-file.js';
import type { KeyringAnchor, KeyringRecords, LeafRecord, TokenHome } from '../../src/keys/key-record.js';

const CREATED_AT = '2025-01-02T03:04:05Z';
const TOKEN = 'pkcs11:token=release;serial=0123';

export interface SoftwareKey {
  readonly algorithm: KeyAlgorithm;
  readonly keyId: string;
  readonly publicKey: string;
  readonly privateKey: KeyObject;
}

export function softwareKey(algorithm: KeyAlgorithm = 'ecdsa-p256'): SoftwareKey {
  const { publicKey, privateKey } =
    algorithm === 'ed25519'
      ? generateKeyPairSync('ed25519')
      : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = publicKey.export({ format: 'der', type: 'spki' });
  return { algorithm, keyId: keyIdOf(spki), publicKey: spki.toString('base64'), privateKey };
}

/** 64 bytes: r||s for ECDSA. */
function signWith(key: SoftwareKey, message: Uint8Array): Buffer {
  const hash = key.algorithm === 'ed25519' ? null : 'sha256';
  return sign(hash, message, { key: key.privateKey, dsaEncoding: 'ieee-p1363' });
}

export function tokenHome(id: string, label: string, token = TOKEN): TokenHome {
  return { token, id, label };
}

/** An active cosign leaf of a fresh key, with what `changes` says. */
export function leafRecord(changes: Partial<LeafRecord> = {}): LeafRecord {
  const { keyId, publicKey } = softwareKey(changes.algorithm);
  return {
    usage: 'sign',
    keyId,
    algorithm: 'ecdsa-p256',
    publicKey,
    createdAt: CREATED_AT,
    repository: 'docker.io/library/hello',
    role: 'cosign',
    epoch: 1,
    index: 0,
    state: 'active',
    homes: [],
    ...changes,
  };
}

export interface SoftwareKeyring {
  readonly root: SoftwareKey;
  readonly audit: SoftwareKey;
  readonly anchor: KeyringAnchor;
  readonly records: KeyringRecords;
}

export function softwareKeyring(leaves: readonly LeafRecord[] = []): SoftwareKeyring {
  const root = softwareKey();
  const derivation = softwareKey();
  const audit = softwareKey();
  const { keyId, publicKey } = audit;
  const anchor: KeyringAnchor = {
    format: 'touchstone-keyring-anchor',
    version: 1,
    domain: 'acme.example',
    createdAt: CREATED_AT,
    root: {
      usage: 'root',
      name: 'touchstone/root#root',
      keyId: root.keyId,
      algorithm: 'ecdsa-p256',
      publicKey: root.publicKey,
      createdAt: CREATED_AT,
      home: tokenHome('01', 'root'),
    },
    derivation: {
      usage: 'derive',
      name: 'touchstone/derivation#derive',
      backend: 'ec',
      keyId: derivation.keyId,
      publicKey: derivation.publicKey,
      home: tokenHome('02', 'derivation'),
      backup: 'generated',
      createdAt: CREATED_AT,
    },
    audit: leafRecord({ keyId, publicKey, repository: 'touchstone/agent', role: 'audit' }),
  };
  const empty = emptyRecords(anchorHash(unsignedAnchor(anchor).payload));
  return { root, audit, anchor, records: { ...empty, sequence: leaves.length, leaves } };
}

/** The file, signed by root and audit leaf unless `signers` says otherwise. */
export function signedFile(
  keyring: SoftwareKeyring,
  signers: { readonly anchor?: SoftwareKey; readonly records?: SoftwareKey } = {},
): string {
  const seal = (part: UnsignedPart, key: SoftwareKey) => envelopeOf(part, key, signWith(key, part.pae));
  return buildKeyringFile(
    seal(unsignedAnchor(keyring.anchor), signers.anchor ?? keyring.root),
    seal(unsignedRecords(keyring.records), signers.records ?? keyring.audit),
  );
}
