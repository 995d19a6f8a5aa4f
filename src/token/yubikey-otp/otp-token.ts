/**
 * An OTP slot as a token: it derives, behind a passphrase that the slot itself does not know, and signs nothing. What the
 * passphrase became (W) is kept from login to the end of the process, and nothing else of it.
 */
import { randomFillSync } from 'node:crypto';
import { otpChallenge, otpCheck, stretchPassphrase } from '../../crypto/otp-derive.js';
import { normalisePassphrase } from '../../crypto/passphrase.js';
import { SecretBytes, secretBuffer } from '../../crypto/secret-bytes.js';
import { AgentError } from '../../errors/agent-error.js';
import type { TokenInfo } from '../token.js';
import type { Filler } from './challenge.js';
import type { Place, PortFinder } from './feature-port.js';
import { findOtpKey } from './find-otp-key.js';
import { otpTokenUri } from '../../keys/otp-uri.js';
import type { OtpDevice } from './otp-device.js';
import type { DeviceStatus, Slot } from './report.js';
import { SLOT_SECRET_BYTES } from './slot-configuration.js';

export interface OtpTokenOptions {
  readonly finder: () => Promise<PortFinder>;
  /** The key blinks. @param secondsLeft until it gives up */
  readonly onTouch: (secondsLeft: number) => void;
}

export interface OtpLogin {
  /** Trust domain of the keyring. */
  readonly domain: string;
  /** Context over which the check value is made. */
  readonly context: Uint8Array;
  /** The recorded check value; none at enrolment. */
  readonly check?: string | undefined;
  /** `program` writes a new secret into the slot first; `adopt` makes sure that the one in it can be used. */
  readonly enrol?: 'program' | 'adopt' | undefined;
}

interface Found {
  readonly device: OtpDevice;
  readonly place: Place;
  readonly finder: PortFinder;
  readonly info: TokenInfo;
}

/** A response that was paid for with a touch already, good for one derivation. */
interface Response {
  readonly challenge: Buffer;
  readonly bytes: SecretBytes;
}

export class OtpToken {
  readonly #options: OtpTokenOptions;
  readonly #cancel = new AbortController();
  #slot: Slot = 2;
  #found: Found | undefined;
  #work: SecretBytes | undefined;
  #response: Response | undefined;

  constructor(options: OtpTokenOptions) {
    this.#options = options;
  }

  /** Finds the key with this serial number. @throws AgentError `token.absent`, `token.not-permitted`, `token.unsupported` */
  async open(serial: string, slot: Slot): Promise<TokenInfo> {
    if (this.#found !== undefined)
      throw new AgentError('usage.invalid', { message: 'open: a token is open already' });
    const finder = await this.#options.finder();
    const { device, place } = await findOtpKey(finder, serial);
    const status = await device.status();
    this.#slot = slot;
    this.#found = { device, place, finder, info: describe(serial, slot, status) };
    return this.#found.info;
  }

  /** Whether the key is still where it was. Asks the system, not the key: another program may be talking to it. */
  async probe(): Promise<TokenInfo> {
    const { finder, place, info } = this.#open();
    const places = await finder.places();
    if (places.some(({ path, instance }) => path === place.path && instance === place.instance)) return info;
    throw new AgentError('token.removed', { message: `the YubiKey ${info.serial} is gone` });
  }

  /**
   * Takes the passphrase, with one touch: two where a secret is adopted.
   * @param typed overwritten by the caller
   * @returns the check value
   * @throws AgentError `token.pin-format`, `token.pin-incorrect` when the check value is another, `token.slot-mode`,
   *   `token.touch-timeout`, `token.write-protected`
   */
  async login(typed: Uint8Array, login: OtpLogin): Promise<string> {
    const passphrase = normalisePassphrase(typed);
    try {
      this.#forget();
      const challenge = otpChallenge(login.context);
      using response = SecretBytes.take(await this.#enrolled(challenge, login.enrol));
      using work = SecretBytes.take(stretchPassphrase(passphrase, login.domain));
      const prf = joined(response, work);
      const check = otpCheck(prf, login.context);
      prf.fill(0);
      if (login.check !== undefined && login.check !== check) throw this.#wrong();
      this.#work = SecretBytes.take(Buffer.from(work.bytes));
      this.#response = { challenge, bytes: SecretBytes.take(Buffer.from(response.bytes)) };
      return check;
    } finally {
      passphrase.fill(0);
    }
  }

  /** derive v1, step 1: R || W, 52 bytes that the caller overwrites. @throws AgentError `token.locked`, `token.touch-timeout` */
  async evaluatePrf(context: Uint8Array): Promise<Buffer> {
    const work = this.#work;
    if (work === undefined) throw new AgentError('token.locked');
    const challenge = otpChallenge(context);
    const known = this.#response;
    if (known?.challenge.equals(challenge) === true) {
      this.#response = undefined;
      using response = known.bytes;
      return joined(response, work);
    }
    using response = SecretBytes.take(await this.#respond(challenge));
    return joined(response, work);
  }

  /** Forgets what it knows and lets go of the key, which stops blinking. */
  async close(): Promise<void> {
    this.#cancel.abort();
    this.#forget();
    await this.#found?.device.close();
    this.#found = undefined;
  }

  /** The response to the first challenge: of a slot as it is, a new secret in it, or one that was proved to be usable. */
  async #enrolled(challenge: Buffer, enrol: OtpLogin['enrol']): Promise<Buffer> {
    if (enrol === 'program') return this.#program(challenge);
    await this.#requireSetUp();
    if (enrol === undefined) return this.#respond(challenge);
    const usual = await this.#respond(challenge);
    using other = SecretBytes.take(await this.#respond(challenge, 'other'));
    if (usual.equals(other.bytes)) return usual;
    usual.fill(0);
    throw new AgentError('token.slot-mode', {
      message: `OTP slot ${this.#slot} hashes a fixed length of 64 bytes; derivation needs variable length`,
    });
  }

  /** The secret is drawn here and forgotten: nobody can make a spare of this slot. */
  async #program(challenge: Buffer): Promise<Buffer> {
    using secret = SecretBytes.take(randomFillSync(secretBuffer(SLOT_SECRET_BYTES)));
    const found = this.#open();
    await found.device.writeSecret(this.#slot, secret.bytes);
    this.#found = { ...found, info: describe(found.info.serial, this.#slot, await found.device.status()) };
    return await this.#respond(challenge);
  }

  async #requireSetUp(): Promise<void> {
    const { programmed, touch } = (await this.#open().device.status()).slots[this.#slot];
    if (programmed && touch) return;
    throw new AgentError('token.slot-mode', {
      message: `OTP slot ${this.#slot} ${programmed ? 'answers without a touch' : 'is empty'}`,
    });
  }

  #respond(challenge: Uint8Array, filler: Filler = 'usual'): Promise<Buffer> {
    const { onTouch } = this.#options;
    const { signal } = this.#cancel;
    return this.#open().device.hmacSha1(this.#slot, challenge, { filler, onTouch, signal });
  }

  #wrong(): AgentError {
    return new AgentError('token.pin-incorrect', {
      message: `the passphrase is wrong, or OTP slot ${this.#slot} holds another secret than the enrolled one`,
      hint: 'enter it again; if it is right, check serial number and slot: "touchstone token show"',
    });
  }

  #open(): Found {
    if (this.#found !== undefined) return this.#found;
    throw new AgentError('usage.invalid', { message: 'no token is open' });
  }

  #forget(): void {
    this.#work?.[Symbol.dispose]();
    this.#work = undefined;
    this.#response?.bytes[Symbol.dispose]();
    this.#response = undefined;
  }
}

function joined(response: SecretBytes, work: SecretBytes): Buffer {
  return Buffer.concat([response.bytes, work.bytes]);
}

/** Nobody counts tries here: what a wrong passphrase costs is a touch. */
function describe(serial: string, slot: Slot, { version, slots }: DeviceStatus): TokenInfo {
  return {
    label: `OTP slot ${slot}`,
    serial,
    manufacturer: 'Yubico',
    model: 'YubiKey',
    firmware: version,
    initialised: true,
    loginRequired: true,
    triesLeft: 'full',
    uri: otpTokenUri(serial, slot),
    slot: { number: slot, ...slots[slot] },
  };
}
