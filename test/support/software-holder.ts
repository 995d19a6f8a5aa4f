/** Holders of root keys without tokens: keys of node:crypto that enrol and sign as a token's would. */
import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { possessionMessage, keyIdOfSpki, type Enrolment } from '../../src/ceremony/enrolment.js';
import { signingMessage } from '../../src/ceremony/document.js';
import type { CeremonyFacts } from '../../src/ceremony/facts.js';
import { sha256Hex } from '../../src/ceremony/one-form.js';
import type { CeremonyPolicy } from '../../src/ceremony/policy.js';
import { sealSignature, type SignatureFile } from '../../src/ceremony/signature-file.js';
import { CREATED, TODAY } from './ceremony-dates.js';

let serials = 10_000_000;

export class SoftwareHolder {
  readonly name: string;
  readonly serial = String((serials += 1));
  readonly publicKey: string;
  readonly keyId: string;
  readonly #key: KeyObject;

  constructor(name: string) {
    this.name = name;
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.#key = privateKey;
    this.publicKey = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
    this.keyId = keyIdOfSpki(this.publicKey);
  }

  /** Hex, DER. */
  sign(message: Uint8Array): string {
    return sign('sha256', message, this.#key).toString('hex');
  }

  enrolment(ceremony: string, change: Partial<Enrolment> = {}): Enrolment {
    const { name: holder, keyId, publicKey, serial } = this;
    return {
      format: 'touchstone-ceremony-enrolment',
      version: 1,
      ceremony,
      holder,
      publicKey,
      keyId,
      algorithm: 'ecdsa-p256',
      token: { serial, manufacturer: 'nobody', model: 'paper', label: holder, firmware: null, slot: '1' },
      pinPolicy: 'unknown',
      touchPolicy: 'unknown',
      attestation: [],
      derivationKeys: [],
      certificates: [],
      bag: '',
      time: CREATED,
      proof: this.sign(possessionMessage({ ceremony, holder, keyId })),
      ...change,
    };
  }

  /** Signature files of every document of a request. */
  signatures(facts: CeremonyFacts): readonly SignatureFile[] {
    const { request, documents } = facts;
    const { id: ceremony, rehearsal } = request.value;
    return documents.map(({ order, proposed }) =>
      sealSignature({
        ceremony,
        request: request.sha256,
        document: order.id,
        role: order.role,
        documentVersion: order.version,
        payloadSha256: sha256Hex(proposed.payload),
        holder: this.name,
        keyId: this.keyId,
        algorithm: 'ecdsa-p256',
        signature: this.sign(signingMessage(proposed, { ceremony, rehearsal }).bytes),
        token: { serial: this.serial, model: 'paper' },
        time: `${TODAY}T09:30:00Z`,
      }),
    );
  }
}

/** A public key of nobody's, base64 of DER SubjectPublicKeyInfo. */
export function onlineKey(): string {
  return new SoftwareHolder('nobody').publicKey;
}

export const TEST_POLICY: CeremonyPolicy = {
  format: 'touchstone-ceremony-policy',
  version: 1,
  name: 'acme.example',
  profile: 'portable',
  schemes: ['ecdsa-sha2-nistp256', 'ed25519'],
  threshold: { min: 2, max: 5 },
  validityDays: { root: 800, targets: 400, snapshot: 30, timestamp: 7 },
  windows: { signingDays: 60, alarmDays: 14 },
  tokens: { attestation: 'optional', anchors: [], minimumFirmware: null, pin: 'any', touch: 'any' },
  characters: {
    roles: 'abcdefghijklmnopqrstuvwxyz0123456789-',
    paths: 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/-*?',
  },
  holders: [],
  derivationKeys: [],
};
