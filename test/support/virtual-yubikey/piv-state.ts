/** Everything a PIV applet remembers; the first part for good, the second until the card loses power. */
import { ALGORITHM, type CardKey } from './card-key.js';
import { ATTESTATION_CERTIFICATE, DataObjects } from './data-objects.js';
import type { AttestationAuthority } from './attestation-authority.js';
import { Firmware, type FirmwareVersion } from './firmware.js';
import { ManagementKey } from './management-key.js';
import type { Policies } from './policies.js';
import { ReferenceValue, type LastWrongTry } from './reference-value.js';
import { StatusWordError, SW } from './status-word.js';
import { tlv } from './tlv.js';

export const FACTORY_PIN = '123456';
export const FACTORY_PUK = '12345678';

export interface StoredKey {
  readonly key: CardKey;
  readonly policies: Policies;
  readonly origin: 'generated' | 'imported';
}

export interface PivOptions {
  readonly serial: number;
  readonly firmware: FirmwareVersion;
  readonly lastWrongTry: LastWrongTry;
  readonly vendor: AttestationAuthority;
}

export class PivState {
  readonly serial: number;
  readonly firmware: Firmware;
  readonly pin: ReferenceValue;
  readonly puk: ReferenceValue;
  readonly objects = new DataObjects();
  readonly keys = new Map<number, StoredKey>();
  management: ManagementKey;

  isPinVerified = false;
  isManagementProved = false;
  /** The PIN was verified by the command just before: what a key with PIN policy `always` wants. */
  isPinFresh = false;

  constructor(options: PivOptions) {
    this.serial = options.serial;
    this.firmware = new Firmware(options.firmware);
    this.pin = new ReferenceValue(FACTORY_PIN, options.lastWrongTry);
    this.puk = new ReferenceValue(FACTORY_PUK, options.lastWrongTry);
    this.management = new ManagementKey(this.firmware);
    const device = options.vendor.device(this.firmware.isModern ? ALGORITHM.p384 : ALGORITHM.rsa2048);
    const policies = { pin: 'never', touch: 'never' } as const;
    this.keys.set(ATTESTATION_SLOT, { key: device.key, policies, origin: 'imported' });
    this.objects.put(ATTESTATION_CERTIFICATE, certificateObject(device.certificate));
  }

  /** What a reset, a removal and another applet take away. */
  forgetAuthentication(): void {
    this.isPinVerified = false;
    this.isPinFresh = false;
    this.isManagementProved = false;
    this.management.forget();
  }

  /** @throws StatusWordError 6982 */
  requireManagement(): void {
    if (!this.isManagementProved) throw new StatusWordError(SW.securityNotSatisfied);
  }

  /** @throws StatusWordError 6a88 */
  storedKey(slot: number): StoredKey {
    const stored = this.keys.get(slot);
    if (stored === undefined) throw new StatusWordError(SW.referenceNotFound);
    return stored;
  }

  /** All but the attestation key and its certificate goes; PIN, PUK and management key are the factory's. */
  restoreFactory(): void {
    this.forgetAuthentication();
    this.pin.restore();
    this.puk.restore();
    this.management = new ManagementKey(this.firmware);
    this.objects.clear();
    for (const slot of this.keys.keys()) if (slot !== ATTESTATION_SLOT) this.keys.delete(slot);
  }
}

export const ATTESTATION_SLOT = 0xf9;

/** True for the four keys of PIV, the twenty retired ones and the attestation key. */
export function isKeySlot(slot: number): boolean {
  return [0x9a, 0x9c, 0x9d, 0x9e, ATTESTATION_SLOT].includes(slot) || (slot >= 0x82 && slot <= 0x95);
}

/** A certificate as PIV stores it: not compressed, without error code. */
function certificateObject(certificate: Buffer): Buffer {
  return Buffer.concat([tlv(0x70, certificate), tlv(0x71, Buffer.from([0])), tlv(0xfe)]);
}
