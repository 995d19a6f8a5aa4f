/**
 * Tries of a PIN that were used up although nobody entered one here: noticed by comparing counters, written to the ledger, and told to
 * everybody who listens. A token shows the last one until its PIN is entered right again.
 */
import { AgentError, type ErrorData } from '../errors/agent-error.js';
import type { PinAttempt, PinLedger } from '../state/pin-ledger.js';
import type { HostTokenInfo } from '../tokenhost/messages.js';
import type { PinAlertFacts } from './wire.js';

export interface PinAlert extends PinAlertFacts {
  /** Name of the token. */
  readonly token: string;
  readonly serial: string;
}

export class PinAlerts {
  readonly #ledger: PinLedger;
  readonly #onAlert: (alert: PinAlert) => void;

  constructor(ledger: PinLedger, onAlert: (alert: PinAlert) => void) {
    this.#ledger = ledger;
    this.#onAlert = onAlert;
  }

  /** What a token says of itself, asked just now. @throws AgentError `state.write`; then no PIN may be sent */
  looked(token: string, info: HostTokenInfo): void {
    const attempt = this.#ledger.see(info.serial, info);
    if (attempt?.leftBefore === undefined || attempt.leftAfter === undefined) return;
    this.#onAlert({
      token,
      serial: info.serial,
      by: 'other',
      before: attempt.leftBefore,
      after: attempt.leftAfter,
    });
  }

  /** What a token host has noticed while its driver was loaded. @param error `token.pin-alert` */
  raised(token: string, { details }: AgentError): void {
    const { serial, by, before, after } = (details ?? {}) as Partial<PinAlert>;
    if (serial === undefined || before === undefined || after === undefined) return;
    const outcome = by === 'driver' ? 'driver-attempt' : 'foreign-attempt';
    // A login that succeeded had given every try back.
    this.#ledger.note(serial, outcome, { before, after, total: before });
    this.#onAlert({ token, serial, by: by ?? 'other', before, after });
  }

  /** What lists show of a token. */
  of(serial: string | undefined): ErrorData | undefined {
    const attempt = serial === undefined ? undefined : this.#ledger.alert(serial);
    return attempt === undefined ? undefined : alertError(attempt).toData();
  }
}

function alertError({ at, outcome, leftBefore, leftAfter }: PinAttempt): AgentError {
  const who =
    outcome === 'driver-attempt' ? 'the driver sent a PIN by itself' : 'another program sent a wrong PIN';
  return new AgentError('token.pin-alert', {
    message: `${at}: ${who}, ${String(leftBefore)} tries before, ${String(leftAfter)} after`,
  });
}
