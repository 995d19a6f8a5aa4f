/** One virtual YubiKey: the applet, a finger, and everything that can go wrong with it. */
import { INS } from './apdu.js';
import { attestationAuthority, type AttestationAuthority } from './attestation-authority.js';
import { PivApplet } from './applet.js';
import type { FirmwareVersion } from './firmware.js';
import type { KeyUse } from './key-commands.js';
import type { PivState } from './piv-state.js';
import type { LastWrongTry } from './reference-value.js';
import { TouchSensor } from './touch-sensor.js';

/** Answer to reset of a YubiKey 5 on its contacts. */
const YUBIKEY_ATR = Buffer.from('3bfd1300008131fe158073c021c057597562694b657940', 'hex');

const CHAINED = 0x10;
/** 63Cx, and 6983 where the PIN is blocked. */
const WRONG_PIN = /^(63c.|6983)$/;

export interface YubiKeyOptions {
  readonly serial?: number;
  readonly firmware?: FirmwareVersion;
  readonly lastWrongTry?: LastWrongTry;
  /** Who certified its attestation key. */
  readonly vendor?: AttestationAuthority;
}

/** What the card did since it was made, or since `reset`. */
class Counters {
  /** Command APDUs by instruction. */
  readonly apdus = new Map<number, number>();
  /** VERIFY with a PIN in it, right or wrong. */
  pinAttempts = 0;
  wrongPins = 0;
  /** By slot. */
  readonly signatures = new Map<number, number>();
  readonly agreements = new Map<number, number>();

  get total(): number {
    return [...this.apdus.values()].reduce((sum, count) => sum + count, 0);
  }

  reset(): void {
    this.apdus.clear();
    this.signatures.clear();
    this.agreements.clear();
    this.pinAttempts = 0;
    this.wrongPins = 0;
  }
}

interface Trap {
  readonly ins: number;
  readonly moment: 'before' | 'after';
  readonly act: () => void;
}

interface Fault {
  readonly ins: number;
  readonly statusWord: number;
  left: number;
}

export class YubiKey {
  readonly touch = new TouchSensor();
  readonly counters = new Counters();
  /** Added to every APDU, milliseconds. */
  latencyMs = 0;
  readonly #applet: PivApplet;
  #traps: readonly Trap[] = [];
  #faults: readonly Fault[] = [];
  /** Changes with each loss of power: a command of another epoch has no answer. */
  #epoch = 0;

  constructor(options: YubiKeyOptions = {}) {
    const { serial = 14_700_001, firmware = '5.4.3', lastWrongTry = 'blocked' } = options;
    const vendor = options.vendor ?? attestationAuthority();
    this.#applet = new PivApplet({ serial, firmware, lastWrongTry, vendor }, Date.now);
  }

  get serial(): number {
    return this.state.serial;
  }

  /** What the card remembers, to look at and to prepare. */
  get state(): PivState {
    return this.#applet.state;
  }

  /** The card forgets that a PIN was verified, without a reset that a driver could see. */
  losePinState(): void {
    this.state.forgetAuthentication();
  }

  /** The next `times` commands of this instruction get this status word and do nothing. */
  fail(ins: number, statusWord: number, times = 1): void {
    this.#faults = [...this.#faults, { ins, statusWord, left: times }];
  }

  /**
   * Runs `act` once, when the next command of this instruction has come (`before`: it is not executed if `act` takes the
   * power away) or was executed (`after`: what it did is done, and only its answer can still get lost).
   */
  once(ins: number, moment: Trap['moment'], act: () => void): void {
    this.#traps = [...this.#traps, { ins, moment, act }];
  }

  /** Of the reader: power up and reset. */
  powerCycle(): Buffer {
    this.powerOff();
    return YUBIKEY_ATR;
  }

  /** Of the reader: power down and removal. */
  powerOff(): void {
    this.#epoch += 1;
    this.touch.cancel();
    this.#applet.powerCycle();
  }

  /** Of the reader: one APDU; undefined when the power went before the answer. */
  async exchange(command: Buffer): Promise<Buffer | undefined> {
    const epoch = this.#epoch;
    const ins = command[1] ?? 0;
    this.counters.apdus.set(ins, (this.counters.apdus.get(ins) ?? 0) + 1);
    this.#spring(ins, 'before');
    if (this.latencyMs > 0) await new Promise((resolve) => setTimeout(resolve, this.latencyMs));
    if (epoch !== this.#epoch) return undefined;
    const answer = this.#faultOf(ins) ?? (await this.#execute(command));
    if (epoch !== this.#epoch) return undefined;
    this.#countPin(command, answer);
    this.#spring(ins, 'after');
    return this.#isSameEpoch(epoch) ? answer : undefined;
  }

  #isSameEpoch(epoch: number): boolean {
    return epoch === this.#epoch;
  }

  async #execute(command: Buffer): Promise<Buffer> {
    const outcome = this.#applet.execute(command);
    if (outcome.kind === 'answer') {
      this.#countUse(outcome.use, outcome.bytes);
      return outcome.bytes;
    }
    const result = await this.touch.wait();
    if (result !== 'touched') return outcome.missed();
    const answer = outcome.touched();
    this.#countUse(outcome.use, answer);
    return answer;
  }

  #spring(ins: number, moment: Trap['moment']): void {
    const sprung = this.#traps.filter((trap) => trap.ins === ins && trap.moment === moment);
    this.#traps = this.#traps.filter((trap) => !sprung.includes(trap));
    for (const trap of sprung) trap.act();
  }

  #faultOf(ins: number): Buffer | undefined {
    const fault = this.#faults.find((each) => each.ins === ins && each.left > 0);
    if (fault === undefined) return undefined;
    fault.left -= 1;
    return Buffer.from([fault.statusWord >> 8, fault.statusWord & 0xff]);
  }

  #countPin(command: Buffer, answer: Buffer): void {
    if (command[0] === CHAINED || command[1] !== INS.verify || command.length <= 5) return;
    this.counters.pinAttempts += 1;
    if (WRONG_PIN.test(answer.toString('hex'))) this.counters.wrongPins += 1;
  }

  #countUse(use: KeyUse | undefined, answer: Buffer): void {
    // 61xx is success with more to fetch.
    if (use === undefined || ![0x90, 0x61].includes(answer.at(-2) ?? 0)) return;
    if (use.act === 'prove') return;
    const counts = use.act === 'sign' ? this.counters.signatures : this.counters.agreements;
    counts.set(use.slot, (counts.get(use.slot) ?? 0) + 1);
  }
}
