/**
 * The token host: one driver in a process of its own, which does what the keeper says over fd 3, one call after the other.
 * It knows no socket, no configuration and no client. Its deadlines are the keeper's, by SIGKILL, because a driver that
 * blocks blocks this whole process.
 */
import { Pipe } from '../platform/pipe.js';
import { Pkcs11Token } from '../token/pkcs11/pkcs11-token.js';
import type { Token } from '../token/token.js';
import { PivToken } from '../token/yubikey-piv/piv-token.js';
import type { PortFinder } from '../token/yubikey-otp/feature-port.js';
import { hidPorts } from '../token/yubikey-otp/hid-port.js';
import { sendFailure, sendOutcome } from './host-answer.js';
import { performCardCall } from './card-calls.js';
import { isCardMethod, performHostCall } from './host-calls.js';
import { HostFrameDecoder, parseHostRequest, type HostRequest } from './host-codec.js';
import { opensOtpSlot } from './otp-calls.js';
import { OtpDesk } from './otp-desk.js';

/** Answers gathered before a write: few, so that the keeper verifies some while the driver makes the next. */
const FLUSH_AFTER_FRAMES = 4;

/**
 * Serves one token over the pipe `fd` until the other end closes it; then calls `onEnd`, once.
 * @param otpFinder where keys with OTP slots are plugged in
 */
export function runTokenHost(
  fd: number,
  onEnd: () => void,
  otpFinder: () => Promise<PortFinder> = hidPorts,
): void {
  let token: Token = new Pkcs11Token();
  let otp: OtpDesk | undefined;
  const decoder = new HostFrameDecoder();
  const pipe = new Pipe(fd, {
    flushAfterFrames: FLUSH_AFTER_FRAMES,
    onData: (chunk) => {
      decoder.push(chunk, (frame) => {
        const request = parseHostRequest(frame);
        if (opensOtpSlot(request)) otp ??= new OtpDesk(pipe, otpFinder);
        if (opensPivApplet(request) && !(token instanceof PivToken)) token = new PivToken();
        if (otp === undefined) answer(token, pipe, request);
        else otp.take(request);
      });
    },
    onClose: () => {
      decoder.wipe();
      if (token instanceof PivToken) endLogin(token);
      if (otp === undefined) onEnd();
      else void otp.close().finally(onEnd);
    },
  });
}

function answer(token: Token, pipe: Pipe, request: HostRequest): void {
  try {
    const { method } = request;
    const isOfCard = token instanceof PivToken && isCardMethod(method);
    const outcome = isOfCard ? performCardCall(token, method, request) : performHostCall(token, request);
    sendOutcome(pipe, request, outcome);
  } catch (error) {
    sendFailure(pipe, request, error);
  }
}

function opensPivApplet({ method, params }: HostRequest): boolean {
  return method === 'open' && typeof params === 'object' && params !== null && 'applet' in params;
}

function endLogin(token: PivToken): void {
  try {
    token[Symbol.dispose]();
  } catch {
    // The card is gone, or its service: the service resets it when this process has ended.
  }
}
