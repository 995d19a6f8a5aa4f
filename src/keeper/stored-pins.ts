/**
 * Unlocking with the PIN that a person stored in the keychain. Only when somebody asks for an unlock, only to the token it was stored for,
 * never for a last try, and a PIN that was refused is not sent again until one is stored anew.
 */
import { randomBytes } from 'node:crypto';
import { AgentError } from '../errors/agent-error.js';
import {
  eraseKeychain,
  readKeychain,
  writeKeychain,
  type KeychainOptions,
} from '../platform/keychain/keychain.js';
import { decodeStoredPin, encodeStoredPin, type StoredPin } from '../platform/keychain/stored-pin.js';
import type { StoredPinMarks } from '../state/stored-pin-marks.js';
import type { HostTokenInfo } from '../tokenhost/messages.js';
import type { Lease } from './lease.js';
import type { TokenUnit } from './token-unit.js';
import type { Unlocking, UnlockParts, UnlockRequest } from './unlocking.js';
import type { SealedPin } from './wire.js';

/** A locked keychain asks its own person for a password first. Milliseconds. */
const KEYCHAIN_MS = 60_000;

export interface StoredPinParts extends UnlockParts {
  readonly marks: StoredPinMarks;
  /** Absolute path of the keychain process's entry script. */
  readonly entry: string;
  /** Tells apart what the agents of one person store. */
  readonly stateDir: string;
}

export class StoredPins {
  readonly #parts: StoredPinParts;
  readonly #unlocking: Unlocking;

  constructor(parts: StoredPinParts, unlocking: Unlocking) {
    this.#parts = parts;
    this.#unlocking = unlocking;
  }

  /** @throws AgentError `keychain.…`, `token.pin-…`, and those of an unlock */
  async unlock(
    unit: TokenUnit,
    request: UnlockRequest,
    signal: AbortSignal,
  ): Promise<{ lease: Lease; loaded: number }> {
    // Before the keychain is touched: nothing it holds is meant for a token that must not be tried.
    this.#requireTries(await unit.section(() => look(unit)));
    const stored = await this.#read(unit, signal);
    try {
      return await unit.section(() => this.#send(unit, stored, request));
    } finally {
      stored.pin.fill(0);
    }
  }

  /**
   * Stores a PIN that the token takes: it is tried once first.
   * @throws AgentError `lease.attempt`, `token.pin-…`, `token.busy` while leases are open, `keychain.…`, `usage.invalid`
   */
  async store(sealed: SealedPin, useLastTry: string | undefined): Promise<{ token: string; serial: string }> {
    const { token, pin } = this.#parts.pins.open(sealed);
    try {
      const unit = this.#parts.unitOf(token);
      requireOptIn(unit);
      const serial = await unit.section(() => this.#try(unit, pin, useLastTry));
      const id = randomBytes(16).toString('hex');
      await writeKeychain(this.#options(token), encodeStoredPin({ id, serial, pin }));
      this.#parts.marks.clear(token);
      return { token, serial };
    } finally {
      pin.fill(0);
    }
  }

  /** @returns false when none was stored. @throws AgentError `keychain.…` */
  async forget(token: string): Promise<boolean> {
    const erased = await eraseKeychain(this.#options(token));
    this.#parts.marks.clear(token);
    return erased;
  }

  async #read(unit: TokenUnit, signal: AbortSignal): Promise<StoredPin> {
    const { name } = unit.config;
    const bytes = await readKeychain({ ...this.#options(name), signal });
    if (bytes === undefined) throw new AgentError('keychain.empty', { details: { token: name } });
    try {
      return decodeStoredPin(bytes);
    } finally {
      bytes.fill(0);
    }
  }

  async #send(
    unit: TokenUnit,
    { id, serial, pin }: StoredPin,
    request: UnlockRequest,
  ): Promise<{ lease: Lease; loaded: number }> {
    const { marks, ledger } = this.#parts;
    const { name } = unit.config;
    const info = await look(unit);
    this.#requireTries(info);
    if (info.serial !== serial) throw notSent(name, 'it was stored for another token');
    if (marks.isUntaken(name, id)) throw notSent(name, 'the token has refused it, or nobody knows');
    const before = ledger.attempts(serial).at(-1);
    marks.sending(name, id);
    try {
      return await this.#unlocking.unlock(unit, pin, { ...request, useLastTry: undefined });
    } finally {
      const last = ledger.attempts(serial).at(-1);
      if (last === before || last?.outcome === 'correct') marks.clear(name);
    }
  }

  /** One login, as for an unlock, and the session ended again. */
  async #try(unit: TokenUnit, pin: Buffer, useLastTry: string | undefined): Promise<string> {
    const { name } = unit.config;
    if (this.#parts.leases.ofToken(name).length > 0) {
      throw new AgentError('token.busy', {
        message: `trying the PIN of "${name}": a lease of this token is open`,
        hint: 'end it with "touchstone lock", then store the PIN',
      });
    }
    try {
      await this.#unlocking.login(unit, pin, useLastTry);
      return (await unit.look()).serial;
    } finally {
      unit.end();
    }
  }

  /** Nobody looks at the number of tries here: the last one is for a person who typed the serial. */
  #requireTries(info: HostTokenInfo): void {
    if (info.triesLeft !== 'last') {
      this.#parts.pins.requireTries(info, undefined);
      return;
    }
    throw new AgentError('token.pin-last-try', {
      details: { serial: info.serial },
      hint: `the stored PIN is not used for it; enter it: touchstone unlock --enter-pin --use-last-try ${info.serial}`,
    });
  }

  #options(token: string): KeychainOptions {
    const account = `token ${token} of ${this.#parts.stateDir}`;
    return { entry: this.#parts.entry, account, timeoutMs: KEYCHAIN_MS };
  }
}

async function look(unit: TokenUnit): Promise<HostTokenInfo> {
  await unit.open();
  return unit.look();
}

function notSent(token: string, why: string): AgentError {
  return new AgentError('keychain.not-sent', {
    message: `the PIN in the keychain for "${token}" is not sent: ${why}`,
    details: { token },
  });
}

function requireOptIn({ config }: TokenUnit): void {
  if (config.pin.source === 'keychain') return;
  throw new AgentError('usage.invalid', {
    message: `storing the PIN of "${config.name}": its configuration does not allow it`,
    hint: 'set pin = { keychain = true } for this token in touchstone.toml, and start the agent again',
    details: { token: config.name },
  });
}
