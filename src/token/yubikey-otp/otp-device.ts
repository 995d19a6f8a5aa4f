/** One YubiKey's OTP interface: what it is, what its slots answer, and writing one. One command at a time. */
import { AgentError, asAgentError } from '../../errors/agent-error.js';
import { padChallenge, RESPONSE_BYTES, type Filler } from './challenge.js';
import { exchange, type ExchangeOptions, type Outcome } from './exchange.js';
import type { FeaturePort } from './feature-port.js';
import type { Command } from './frame.js';
import { stateOf, statusOf, resetReport, type DeviceStatus, type Slot } from './report.js';
import { hmacConfiguration } from './slot-configuration.js';

const COMMAND_SERIAL = 0x10;
const COMMAND_HMAC: Readonly<Record<Slot, number>> = { 1: 0x30, 2: 0x38 };
const COMMAND_CONFIGURE: Readonly<Record<Slot, number>> = { 1: 0x01, 2: 0x03 };
const SERIAL_BYTES = 4;
const NO_ANSWER_BYTES = 0;
const NO_PAYLOAD = Buffer.alloc(0);

export class OtpDevice {
  readonly #port: FeaturePort;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(port: FeaturePort) {
    this.#port = port;
  }

  /** Firmware and slots. @throws AgentError `token.removed`, `token.device` */
  status(): Promise<DeviceStatus> {
    return this.#inTurn(async () => {
      const report = await this.#port.read();
      if (stateOf(report).state === 'idle') return statusOf(report);
      await this.#port.write(resetReport());
      return statusOf(await this.#port.read());
    });
  }

  /** Decimal, as printed on the key. @throws AgentError `token.unsupported` when the key does not tell programs */
  async serial(): Promise<string> {
    const answer = await this.#ask({ command: COMMAND_SERIAL, payload: NO_PAYLOAD }, SERIAL_BYTES);
    if (answer.outcome === 'rest') {
      throw new AgentError('token.unsupported', {
        message: 'reading the serial number over OTP: the key hides it from programs',
        hint: 'a slot that is written with "ykman otp" shows it again; then insert the key anew',
      });
    }
    return String(answer.data.readUInt32BE(0));
  }

  /**
   * HMAC-SHA1 of a challenge of 1 to 63 bytes: 20 bytes that the caller overwrites.
   * @throws AgentError `token.slot-mode` when the slot does not answer challenges, `token.touch-timeout`, `limits.cancelled`
   */
  async hmacSha1(
    slot: Slot,
    challenge: Uint8Array,
    options: ExchangeOptions & { readonly filler?: Filler } = {},
  ): Promise<Buffer> {
    const payload = padChallenge(challenge, options.filler);
    const answer = await this.#ask({ command: COMMAND_HMAC[slot], payload }, RESPONSE_BYTES, options);
    if (answer.outcome === 'answer') return answer.data;
    const { programmed } = answer.status.slots[slot];
    throw new AgentError('token.slot-mode', {
      message: `asking OTP slot ${slot}: ${programmed ? 'it does not answer challenges' : 'it is empty'}`,
    });
  }

  /**
   * Writes a secret of 20 bytes into a slot, over whatever is there.
   * @throws AgentError `token.write-protected` when the slot keeps what it has
   */
  async writeSecret(slot: Slot, secret: Uint8Array): Promise<void> {
    const before = await this.status();
    const payload = hmacConfiguration(secret);
    try {
      const answer = await this.#inTurn(() =>
        exchange(this.#port, { command: COMMAND_CONFIGURE[slot], payload }, NO_ANSWER_BYTES),
      );
      if (answer.outcome === 'rest' && isWritten(before, answer.status, slot)) return;
    } finally {
      payload.fill(0);
    }
    throw new AgentError('token.write-protected', {
      message: `programming OTP slot ${slot}: the key refused; an access code may protect it`,
    });
  }

  /** Lets go of the device after the command in work, which its caller can cancel. */
  close(): Promise<void> {
    return this.#inTurn(() => this.#port.close());
  }

  /** Two programs that ask at once take pieces of each other's answer: once more, unless that would cost a touch. */
  #ask(command: Command, answerBytes: number, options: ExchangeOptions = {}): Promise<Outcome> {
    return this.#inTurn(async () => {
      const finger = { asked: false };
      const onTouch = (secondsLeft: number): void => {
        finger.asked = true;
        options.onTouch?.(secondsLeft);
      };
      const once = (): Promise<Outcome> =>
        exchange(this.#port, command, answerBytes, { ...options, onTouch });
      try {
        return await once();
      } catch (thrown) {
        if (finger.asked || asAgentError(thrown).code !== 'token.busy') throw thrown;
        return once();
      }
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#turn.then(work, work);
    this.#turn = run.catch(() => undefined);
    return run;
  }
}

function isWritten(before: DeviceStatus, after: DeviceStatus, slot: Slot): boolean {
  return after.sequence !== before.sequence && after.slots[slot].programmed && after.slots[slot].touch;
}
