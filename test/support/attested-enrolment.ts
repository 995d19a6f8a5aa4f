/** Enrolments of software keys that the vendor of the virtual YubiKeys vouches for, as if a card had made them. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import type { Enrolment } from '../../src/ceremony/enrolment.js';
import { encodePem } from '../../src/encoding/pem.js';
import type { SoftwareHolder } from './software-holder.js';
import {
  attest,
  attestationAuthority,
  type AttestationAuthority,
} from './virtual-yubikey/attestation-authority.js';
import { ALGORITHM } from './virtual-yubikey/card-key.js';
import { Firmware, type FirmwareVersion } from './virtual-yubikey/firmware.js';
import type { Policies } from './virtual-yubikey/policies.js';

/** What a card says of its key; that of the holder, a touch for each signature, and the newest firmware when left out. */
export interface SaidOfKey {
  readonly publicKey?: KeyObject;
  readonly serial?: number;
  readonly slot?: number;
  readonly firmware?: FirmwareVersion;
  readonly policies?: Policies;
  readonly vendor?: AttestationAuthority;
}

/** The certificates of a key and of the card, PEM. */
export function certificatesOf(holder: SoftwareHolder, said: SaidOfKey = {}): readonly [string, string] {
  const vendor = said.vendor ?? attestationAuthority();
  const device = vendor.device(ALGORITHM.p384);
  const key = attest(device.key, {
    slot: said.slot ?? 0x9c,
    publicKey: said.publicKey ?? keyOf(holder),
    policies: said.policies ?? { pin: 'once', touch: 'always' },
    firmware: new Firmware(said.firmware ?? '5.7.1'),
    serial: said.serial ?? Number(holder.serial),
  });
  return [encodePem('CERTIFICATE', key), encodePem('CERTIFICATE', device.certificate)];
}

/** The enrolment of a holder with a card on which all is well. */
export function attestedEnrolment(
  holder: SoftwareHolder,
  ceremony: string,
  change: Partial<Enrolment> = {},
): Enrolment {
  return holder.enrolment(ceremony, {
    token: {
      serial: holder.serial,
      manufacturer: 'Yubico',
      model: 'YubiKey',
      label: holder.name,
      firmware: '5.7.1',
      slot: '9c',
    },
    pinPolicy: 'once',
    touchPolicy: 'always',
    attestation: certificatesOf(holder),
    ...change,
  });
}

/** The public half of a holder's key. */
export function keyOf({ publicKey }: SoftwareHolder): KeyObject {
  return createPublicKey({ key: Buffer.from(publicKey, 'base64'), format: 'der', type: 'spki' });
}
