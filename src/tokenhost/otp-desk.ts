/** The host of an OTP slot: its calls wait for a finger, so they run beside the pipe, one after the other. */
import type { Pipe } from '../platform/pipe.js';
import type { PortFinder } from '../token/yubikey-otp/feature-port.js';
import { OtpToken } from '../token/yubikey-otp/otp-token.js';
import { sendFailure, sendOutcome } from './host-answer.js';
import { encodeHostNotice, type HostRequest } from './host-codec.js';
import { performOtpCall } from './otp-calls.js';

/** Time for the key to stop blinking when the keeper has ended, milliseconds. */
const CLOSE_MS = 200;

export class OtpDesk {
  readonly #pipe: Pipe;
  readonly #token: OtpToken;
  #turn: Promise<void> = Promise.resolve();

  constructor(pipe: Pipe, finder: () => Promise<PortFinder>) {
    this.#pipe = pipe;
    this.#token = new OtpToken({
      finder,
      onTouch: (secondsLeft) => {
        pipe.send(encodeHostNotice({ notice: 'touch', secondsLeft }));
      },
    });
  }

  /** @param request its raw part is only valid during the call */
  take({ id, method, params, raw }: HostRequest): void {
    const kept: HostRequest = { id, method, params, raw: Buffer.from(raw) };
    this.#turn = this.#turn.then(() => this.#perform(kept)).finally(() => kept.raw.fill(0));
  }

  /** Overwrites what is secret and lets go of the key, in bounded time. */
  async close(): Promise<void> {
    const late = new Promise<void>((resolve) => setTimeout(resolve, CLOSE_MS));
    await Promise.race([this.#token.close().then(() => this.#turn), late]).catch(() => undefined);
  }

  async #perform(request: HostRequest): Promise<void> {
    try {
      sendOutcome(this.#pipe, request, await performOtpCall(this.#token, request));
    } catch (error) {
      sendFailure(this.#pipe, request, error);
    }
  }
}
