/**
 * The vendor of the suite: a root that certifies each card's attestation key, which certifies the keys made on the card.
 * Layout and extensions are those of the real chain; the names are not.
 */
import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import { contextTag, der, derOid, derTime, derUnsigned, TAG } from '../../../src/encoding/asn1.js';
import { encodePem } from '../../../src/encoding/pem.js';
import { digestInfo } from '../../../src/crypto/rsa-digest.js';
import { ALGORITHM, generateKey, type AlgorithmNumber, type CardKey } from './card-key.js';
import type { Firmware } from './firmware.js';
import { policyBytes, type Policies } from './policies.js';

const ECDSA_SHA256 = der(TAG.sequence, derOid('1.2.840.10045.4.3.2'));
const RSA_SHA256 = der(TAG.sequence, derOid('1.2.840.113549.1.1.11'), Buffer.from([0x05, 0x00]));
const VENDOR = '1.3.6.1.4.1.41482.3';
const NOT_BEFORE = new Date('2016-03-14T00:00:00Z');
const NOT_AFTER = new Date('2052-04-17T00:00:00Z');
const ROOT_NAME = 'Touchstone Test PIV Root CA';
const DEVICE_NAME = 'Touchstone Test PIV Attestation';
const VERSION_3 = der(contextTag(0), derUnsigned(Buffer.from([2])));
/** USB-A keychain. */
const FORM_FACTOR = 0x01;

/** What a slot's attestation says. */
export interface Attested {
  readonly slot: number;
  readonly publicKey: KeyObject;
  readonly policies: Policies;
  readonly firmware: Firmware;
  readonly serial: number;
}

const RSA_BYTES = 256;

/** An attestation key and its certificate, DER. */
export interface AttestationDevice {
  readonly key: CardKey;
  readonly certificate: Buffer;
}

export class AttestationAuthority {
  readonly #key = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  readonly #devices = new Map<AlgorithmNumber, AttestationDevice>();
  /** The root certificate, DER. */
  readonly certificate = this.#certify(ROOT_NAME, this.#key.publicKey);

  /** The root certificate as a trust anchor in a file. */
  get pem(): string {
    return encodePem('CERTIFICATE', this.certificate);
  }

  /** One for all cards of a batch: an RSA key takes a fifth of a second to make. */
  device(algorithm: AlgorithmNumber): AttestationDevice {
    const known = this.#devices.get(algorithm);
    if (known !== undefined) return known;
    const key = generateKey(algorithm);
    const made = { key, certificate: this.#certify(DEVICE_NAME, key.publicKey) };
    this.#devices.set(algorithm, made);
    return made;
  }

  #certify(subject: string, publicKey: KeyObject): Buffer {
    const isAuthority = der(TAG.sequence, der(TAG.boolean, Buffer.from([0xff])));
    const extensions = [extension('2.5.29.19', true, isAuthority)];
    const body = certificateBody(ROOT_NAME, subject, publicKey, ECDSA_SHA256, extensions);
    return certificate(body, ECDSA_SHA256, sign('sha256', body, this.#key.privateKey));
  }
}

let authority: AttestationAuthority | undefined;

/** The vendor of all cards that name no other. */
export function attestationAuthority(): AttestationAuthority {
  authority ??= new AttestationAuthority();
  return authority;
}

/** The certificate that a card writes about a key it made, DER. */
export function attest(attestationKey: CardKey, attested: Attested): Buffer {
  const isRsa = attestationKey.algorithm === ALGORITHM.rsa2048;
  const algorithm = isRsa ? RSA_SHA256 : ECDSA_SHA256;
  const subject = `YubiKey PIV Attestation ${attested.slot.toString(16)}`;
  const { publicKey, policies, firmware, serial } = attested;
  const serialNumber = Buffer.alloc(4);
  serialNumber.writeUInt32BE(serial);
  const body = certificateBody(DEVICE_NAME, subject, publicKey, algorithm, [
    extension(`${VENDOR}.3`, false, firmware.bytes),
    extension(`${VENDOR}.7`, false, derUnsigned(serialNumber)),
    extension(`${VENDOR}.8`, false, policyBytes(policies)),
    extension(`${VENDOR}.9`, false, Buffer.from([FORM_FACTOR])),
  ]);
  const digest = createHash('sha256').update(body).digest();
  return certificate(body, algorithm, attestationKey.sign(isRsa ? pkcs1Block(digest) : digest));
}

function certificateBody(
  issuer: string,
  subject: string,
  publicKey: KeyObject,
  algorithm: Buffer,
  extensions: readonly Buffer[],
): Buffer {
  return der(
    TAG.sequence,
    VERSION_3,
    derUnsigned(randomBytes(16)),
    algorithm,
    commonName(issuer),
    der(TAG.sequence, derTime(NOT_BEFORE), derTime(NOT_AFTER)),
    commonName(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(contextTag(3), der(TAG.sequence, ...extensions)),
  );
}

function certificate(body: Buffer, algorithm: Buffer, signature: Buffer): Buffer {
  return der(TAG.sequence, body, algorithm, der(TAG.bitString, Buffer.from([0]), signature));
}

function commonName(name: string): Buffer {
  const attribute = der(TAG.sequence, derOid('2.5.4.3'), der(TAG.utf8String, Buffer.from(name)));
  return der(TAG.sequence, der(TAG.set, attribute));
}

function extension(oid: string, isCritical: boolean, value: Buffer): Buffer {
  const critical = isCritical ? [der(TAG.boolean, Buffer.from([0xff]))] : [];
  return der(TAG.sequence, derOid(oid), ...critical, der(TAG.octetString, value));
}

/** EMSA-PKCS1-v1_5, 256 bytes. */
function pkcs1Block(digest: Buffer): Buffer {
  const info = digestInfo('sha256', digest);
  const filler = Buffer.alloc(RSA_BYTES - info.length - 3, 0xff);
  return Buffer.concat([Buffer.from([0, 1]), filler, Buffer.from([0]), info]);
}
