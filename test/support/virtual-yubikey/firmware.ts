/** What a firmware version can do. */

/** Versions that behave differently from each other in what the suite looks at. */
export type FirmwareVersion = '4.3.5' | '5.2.7' | '5.4.3' | '5.7.1';

export class Firmware {
  readonly #number: number;

  constructor(readonly version: FirmwareVersion) {
    this.#number = numberOf(version);
  }

  /** Three bytes. */
  get bytes(): Buffer {
    return Buffer.from(this.version.split('.').map(Number));
  }

  /** GET SERIAL inside the PIV applet; older keys say it in the OTP applet. */
  get hasSerial(): boolean {
    return this.#isAtLeast('5.0.0');
  }

  get hasMetadata(): boolean {
    return this.#isAtLeast('5.3.0');
  }

  get hasAesManagementKey(): boolean {
    return this.#isAtLeast('5.4.2');
  }

  /** From here on a fresh key has an AES-192 management key, and its attestation key is on P-384 instead of RSA-2048. */
  get isModern(): boolean {
    return this.#isAtLeast('5.7.0');
  }

  #isAtLeast(version: string): boolean {
    return this.#number >= numberOf(version);
  }
}

function numberOf(version: string): number {
  return version.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}
