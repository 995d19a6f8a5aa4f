/**
 * Unlock attempts: a one-time key for each, opened once, within a minute; and the rules that protect a PIN counter. Nothing but
 * what a person entered is sent, a PIN known to be wrong is never sent twice, and the last try is
 * spent only for a serial that somebody typed.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { HpkeRecipient } from '../crypto/hpke.js';
import { decodeBase64 } from '../encoding/base64.js';
import { AgentError } from '../errors/agent-error.js';
import type { TokenConfig } from '../config/token-document.js';
import type { HostTokenInfo } from '../tokenhost/messages.js';
import type { SealedPin, UnlockBegin } from './wire.js';

const ATTEMPT_LIFE_MS = 60_000;
/** Attempts that may be open at once; more mean that somebody only begins. */
const MAX_ATTEMPTS = 64;
/** PKCS#11 has no limit, and every token we know takes fewer bytes; a passphrase has at most 128 characters of four. */
const MAX_PIN_BYTES = 512;
const FIRST_PRINTABLE = 0x20;
const DELETE = 0x7f;

interface Attempt {
  readonly token: string;
  readonly info: Buffer;
  readonly recipient: HpkeRecipient;
  readonly timer: NodeJS.Timeout;
}

type PinnedToken = Pick<TokenConfig, 'name' | 'kind' | 'pin'>;

/** HPKE info of an attempt: binds the sealed PIN to this token and this attempt. */
function attemptInfo(serial: string, attempt: string): Buffer {
  const fields = ['touchstone-unlock-v1', serial, attempt].map((field) => Buffer.from(field, 'utf8'));
  return Buffer.concat(
    fields.flatMap((field) => {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(field.length);
      return [length, field];
    }),
  );
}

export class PinDesk {
  readonly #attempts = new Map<string, Attempt>();
  /** Keyed hashes of refused PINs by serial; the key never leaves this process, so the hashes are useless elsewhere. */
  readonly #wrong = new Map<string, Set<string>>();
  readonly #wrongKey = randomBytes(32);

  begin({ name: token, kind, pin }: PinnedToken, info: HostTokenInfo): UnlockBegin {
    if (this.#attempts.size >= MAX_ATTEMPTS)
      throw new AgentError('limits.queue', { message: 'too many unlocks are open' });
    const attempt = randomBytes(16).toString('hex');
    const recipient = HpkeRecipient.generate();
    const hpkeInfo = attemptInfo(info.serial, attempt);
    const timer = setTimeout(() => {
      this.#attempts.delete(attempt);
    }, ATTEMPT_LIFE_MS);
    timer.unref();
    this.#attempts.set(attempt, { token, info: hpkeInfo, recipient, timer });
    return {
      attempt,
      publicKey: recipient.publicKey.toString('base64'),
      info: hpkeInfo.toString('base64'),
      token,
      kind,
      serial: info.serial,
      label: info.label,
      triesLeft: info.triesLeft,
      initialised: info.initialised,
      expiresAt: new Date(Date.now() + ATTEMPT_LIFE_MS).toISOString().replace(/\.\d{3}Z$/, 'Z'),
      ...(pin.source === 'pinentry' || pin.source === 'askpass' || pin.source === 'keychain'
        ? { asks: pin.source }
        : {}),
    };
  }

  /**
   * Ends an attempt whose PIN the agent has asked for. @returns its token
   * @throws AgentError `lease.attempt` when unknown, used or too old
   */
  take(attempt: string): string {
    const { token, recipient } = this.#use(attempt);
    recipient[Symbol.dispose]();
    return token;
  }

  /**
   * Opens a sealed PIN, once.
   * @returns the token the attempt was for, and the PIN, which the caller overwrites
   * @throws AgentError `lease.attempt` when unknown, used or too old
   */
  open(sealed: SealedPin): { readonly token: string; readonly pin: Buffer } {
    const attempt = this.#use(sealed.attempt);
    const enc = decodeBase64(sealed.enc, 'enc');
    const ciphertext = decodeBase64(sealed.ciphertext, 'ciphertext');
    return { token: attempt.token, pin: openSealed(attempt, enc, ciphertext) };
  }

  /**
   * Refuses what must not be sent.
   * @param useLastTry the serial that a person typed after `--use-last-try`
   * @throws AgentError `token.pin-format`, `token.pin-locked`, `token.pin-last-try`, `token.pin-known-wrong`
   */
  check(info: HostTokenInfo, pin: Buffer, useLastTry: string | undefined): void {
    requireTyped(pin);
    this.requireTries(info, useLastTry);
    if (this.#wrong.get(info.serial)?.has(this.#mark(pin)) === true) {
      throw new AgentError('token.pin-known-wrong', { details: { serial: info.serial } });
    }
  }

  /** Before anybody is asked. @throws AgentError `token.pin-locked`, `token.pin-last-try` */
  requireTries(info: HostTokenInfo, useLastTry: string | undefined): void {
    const details = { serial: info.serial };
    if (info.triesLeft === 'locked') throw new AgentError('token.pin-locked', { details });
    if (info.triesLeft === 'last' && useLastTry !== info.serial) {
      throw new AgentError('token.pin-last-try', {
        details,
        hint: `if you are sure of the PIN, add --use-last-try ${info.serial}`,
      });
    }
  }

  refused(serial: string, pin: Buffer): void {
    const marks = this.#wrong.get(serial) ?? new Set<string>();
    marks.add(this.#mark(pin));
    this.#wrong.set(serial, marks);
  }

  /** A login succeeded: somebody may have changed the PIN to one that was wrong before. */
  accepted(serial: string): void {
    this.#wrong.delete(serial);
  }

  #use(id: string): Attempt {
    const attempt = this.#attempts.get(id);
    if (attempt === undefined) throw new AgentError('lease.attempt');
    this.#attempts.delete(id);
    clearTimeout(attempt.timer);
    return attempt;
  }

  #mark(pin: Buffer): string {
    return createHmac('sha256', this.#wrongKey).update(pin).digest('hex');
  }
}

/**
 * Refuses bytes that nobody typed as a PIN: nothing at all, which would have the token ask on its own pad, or the line ends of
 * a file that was not written for this. @throws AgentError `token.pin-format`
 */
export function requireTyped(pin: Buffer): void {
  if (pin.length > 0 && pin.length <= MAX_PIN_BYTES && !pin.some(isControl)) return;
  throw new AgentError('token.pin-format', {
    message:
      pin.length === 0
        ? 'the PIN is empty; it was not sent'
        : 'the PIN is too long or holds a line end or another control character; it was not sent',
  });
}

function isControl(byte: number): boolean {
  return byte < FIRST_PRINTABLE || byte === DELETE;
}

function openSealed(attempt: Attempt, enc: Buffer, ciphertext: Buffer): Buffer {
  try {
    return attempt.recipient.open({ enc, ciphertext }, attempt.info);
  } catch (cause) {
    throw new AgentError('lease.attempt', { message: 'the sealed PIN could not be opened', cause });
  } finally {
    attempt.recipient[Symbol.dispose]();
  }
}
