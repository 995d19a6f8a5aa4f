/**
 * What happens with a PIN in hand: log in once, find the keys, derive every leaf the lease asks for, open the lease. Either all
 * of it happens, or the token is locked again and nothing stays.
 */
import type { Config } from '../config/document.js';
import { AgentError, asAgentError } from '../errors/agent-error.js';
import type { Leaf } from '../crypto/leaf.js';
import type { KeyringAnchor, LeafRecord, TokenHome } from '../keys/key-record.js';
import type { PinCounter, PinLedger } from '../state/pin-ledger.js';
import type { HostTokenInfo, OtpLoginParams } from '../tokenhost/messages.js';
import { holdsDerivation, otpLogin } from './derivation-token.js';
import { deriveRecorded } from './deriving.js';
import { rawKeyId, type KeyShelf, type ShelfKey } from './key-shelf.js';
import type { LeaseBook } from './lease-book.js';
import { Lease } from './lease.js';
import type { PinDesk } from './pin-desk.js';
import type { TokenUnit } from './token-unit.js';
import type { LeaseOptions, SealedPin, TokenStatus } from './wire.js';

/** Time for a login; a driver may wait for the card, an OTP slot waits for one finger, or two. Milliseconds. */
const LOGIN_DEADLINE_MS = 20_000;
const OTP_LOGIN_DEADLINE_MS = 75_000;
const FIND_DEADLINE_MS = 10_000;

export interface UnlockParts {
  readonly config: Config;
  readonly shelf: KeyShelf;
  readonly leases: LeaseBook;
  readonly pins: PinDesk;
  readonly ledger: PinLedger;
  /** The keyring as loaded, if there is one. */
  readonly anchor: () => KeyringAnchor | undefined;
  readonly unitOf: (token: string) => TokenUnit;
}

export interface UnlockRequest {
  readonly lease: LeaseOptions;
  readonly owner: number;
  readonly useLastTry?: string | undefined;
}

/** Keys that an unlock has found so far, by key id. */
interface Found {
  readonly leaves: Map<string, Leaf>;
  readonly homes: Map<string, TokenHome>;
}

export class Unlocking {
  readonly #parts: UnlockParts;
  /** Attempts that wait for their turn, or are in work. */
  readonly #waiting = new Set<string>();

  constructor(parts: UnlockParts) {
    this.#parts = parts;
  }

  /** @throws AgentError `lease.attempt`, `token.pin-…`, `key.mismatch`, `keyring.other-token` */
  async unlockSealed(sealed: SealedPin, request: UnlockRequest): Promise<{ lease: Lease; loaded: number }> {
    const { token, pin } = this.#parts.pins.open(sealed);
    const unit = this.#parts.unitOf(token);
    this.#waiting.add(sealed.attempt);
    const { locks } = unit;
    const inTurn = (): Promise<{ lease: Lease; loaded: number }> => {
      requireUnlocked(unit, locks);
      if (this.#waiting.has(sealed.attempt)) return this.unlock(unit, pin, request);
      throw new AgentError('limits.cancelled', {
        message: 'nobody waits for the unlock; the PIN was not sent',
      });
    };
    return unit.section(inTurn).finally(() => {
      this.#waiting.delete(sealed.attempt);
      pin.fill(0);
    });
  }

  /** Nobody waits for an unlock any more: its PIN is not sent when its turn has not come. */
  cancel(attempt: string): void {
    this.#waiting.delete(attempt);
  }

  /** With a PIN from a source that the configuration names. @param pin overwritten */
  async unlock(
    unit: TokenUnit,
    pin: Buffer,
    request: UnlockRequest,
  ): Promise<{ lease: Lease; loaded: number }> {
    const anchor = this.#parts.anchor();
    if (anchor === undefined) throw new AgentError('keyring.missing');
    const { locks } = unit;
    await this.login(unit, pin, request.useLastTry);
    const found: Found = { leaves: new Map(), homes: new Map() };
    try {
      const wanted = this.#wanted(unit, request.lease.keys);
      await this.#find(unit, anchor, wanted, found);
      const covered = coveredKeys(wanted, request.lease.keys, isCard(unit) ? 'named' : 'any');
      requireUnlocked(unit, locks);
      const loaded = this.#take(unit, wanted, found, covered);
      const lease = new Lease({
        token: unit.config.name,
        owner: request.owner,
        keys: covered,
        kinds: request.lease.kinds ?? [],
        uses: request.lease.uses,
        expiresAtMs: leaseEndMs(this.#parts.config, request.lease.seconds),
        blind: request.lease.blind ?? false,
      });
      this.#parts.leases.open(lease);
      if (isCard(unit) && !coversRoot(wanted, covered)) await this.#park(unit);
      return { lease, loaded };
    } catch (error) {
      for (const leaf of found.leaves.values()) leaf.wipe();
      if (isCard(unit) || this.#parts.leases.ofToken(unit.config.name).length === 0) unit.end();
      throw error;
    }
  }

  /** Everything is derived: the card is locked again, whatever it says. A card that is gone meanwhile is noticed elsewhere. */
  async #park(unit: TokenUnit): Promise<void> {
    this.#parts.shelf.forgetHome(unit.config.name);
    await unit.park().catch(() => undefined);
  }

  /**
   * One login with one PIN, under the rules and in the ledger. A session that is already open is ended first: a driver would
   * answer "already logged in" whatever the PIN is.
   * @param enrol for the first login to an OTP slot
   * @returns the check value of an OTP slot
   */
  login(
    unit: TokenUnit,
    pin: Buffer,
    useLastTry: string | undefined,
    enrol?: OtpLoginParams['enrol'],
  ): Promise<string | undefined> {
    return this.attempt(unit, pin, useLastTry, (sent) => this.#send(unit, sent, enrol));
  }

  /** One attempt with one PIN, under the rules and in the ledger, however it is sent. @param send gets a copy, and overwrites it */
  async attempt<T>(
    unit: TokenUnit,
    pin: Buffer,
    useLastTry: string | undefined,
    send: (pin: Buffer) => Promise<T>,
  ): Promise<T> {
    const { pins, ledger, shelf } = this.#parts;
    if (unit.loggedIn) {
      unit.end();
      shelf.forgetHome(unit.config.name);
    }
    const { locks } = unit;
    await unit.open();
    // Asked now: since the host found the token another program may have spent tries.
    const before = await unit.look();
    pins.check(before, pin, useLastTry);
    if (isCard(unit) && (await this.#recognise(unit))) unit.identified();
    requireUnlocked(unit, locks);
    ledger.begin(before.serial, before);
    const answer = await send(Buffer.from(pin)).catch(async (thrown: unknown) => {
      throw await this.#loginFailed(unit, before, pin, asAgentError(thrown));
    });
    pins.accepted(before.serial);
    ledger.end(before.serial, 'correct', afterLogin(before));
    return answer;
  }

  /** For lists: whether a card is there, and the right one. @param glance as `TokenUnit.refresh` */
  async look(unit: TokenUnit, glance: boolean): Promise<TokenStatus> {
    const { state } = await unit.refresh(glance);
    if (!isCard(unit) || state !== 'present') return unit.status();
    try {
      if (await this.#recognise(unit)) unit.identified();
    } catch (error) {
      unit.strange(asAgentError(error));
    }
    return unit.status();
  }

  /**
   * No PIN goes to a card whose keys are not the ones of the keyring; they show themselves without it.
   * @returns false when the keyring knows none of its keys. @throws AgentError `keyring.other-token`
   */
  async #recognise(unit: TokenUnit): Promise<boolean> {
    const anchor = this.#parts.anchor();
    if (anchor === undefined) return false;
    const derives = holdsDerivation(unit, anchor);
    if (derives) await this.#checkDerivation(unit, anchor);
    const root = this.#parts.shelf.get(anchor.root.keyId);
    const isRoot = anchor.root.home.token === unit.status().uri;
    if (isRoot) await this.#checkHome(unit, root, anchor.root.home);
    return derives || isRoot;
  }

  #send(unit: TokenUnit, pin: Buffer, enrol: OtpLoginParams['enrol']): Promise<string | undefined> {
    if (unit.config.kind !== 'yubikey-otp') return unit.login(pin, LOGIN_DEADLINE_MS);
    const { anchor, config } = this.#parts;
    return unit.login(pin, OTP_LOGIN_DEADLINE_MS, otpLogin(anchor(), config.domain, enrol));
  }

  async #loginFailed(
    unit: TokenUnit,
    before: HostTokenInfo,
    pin: Buffer,
    error: AgentError,
  ): Promise<AgentError> {
    const { pins, ledger } = this.#parts;
    const wrong = error.code === 'token.pin-incorrect';
    // A slot counts no tries, and what was wrong for another secret in it may be right again.
    if (wrong && unit.config.kind !== 'yubikey-otp') pins.refused(before.serial, pin);
    const after = await unit.look().catch(() => undefined);
    const outcome = wrong ? 'wrong' : error.code === 'token.pin-locked' ? 'locked' : 'error';
    ledger.end(before.serial, outcome, after ?? { triesLeft: before.triesLeft });
    if (this.#parts.leases.ofToken(unit.config.name).length === 0) unit.end();
    const triesLeft = after?.triesLeft ?? before.triesLeft;
    return new AgentError(error.code, {
      message: error.message,
      hint: wrong ? `${error.hint}${triesWords(triesLeft, before.serial)}` : error.hint,
      details: { ...error.details, serial: before.serial, triesLeft },
      cause: error,
    });
  }

  /** The keys of this token that are wanted: named ones, or all active ones; audit leaf and root always, for the agent's own documents. */
  #wanted(unit: TokenUnit, keys: readonly string[] | undefined): ShelfKey[] {
    const named = keys === undefined ? undefined : new Set(keys);
    const reachable = [...this.#parts.shelf.all()].filter((key) => this.#reachable(unit, key));
    return reachable.filter((key) => {
      if (key.role === 'audit' || key.record.usage === 'root') return true;
      if (named !== undefined && !named.has(key.record.keyId)) return false;
      return key.record.state === 'active';
    });
  }

  #reachable(unit: TokenUnit, { record }: ShelfKey): boolean {
    const anchor = this.#parts.anchor();
    if (anchor === undefined) return false;
    // Token URIs in records are made from label and serial by the token host, so equal tokens have equal URIs.
    const { uri } = unit.status();
    if (record.usage === 'root') return uri === record.home.token;
    if (record.origin !== 'token' && holdsDerivation(unit, anchor)) return true;
    return record.homes.some((home) => home.token === uri);
  }

  /**
   * Looks for everything that is wanted, into `found`. Nothing reaches the shelf yet: while this waits for the token, other leases
   * may end and the keyring may change.
   */
  async #find(
    unit: TokenUnit,
    anchor: KeyringAnchor,
    wanted: readonly ShelfKey[],
    found: Found,
  ): Promise<void> {
    const { uri } = unit.status();
    const derives = holdsDerivation(unit, anchor);
    if (derives) await this.#checkDerivation(unit, anchor);
    else if (wanted.length === 0) throw holdsNothing(unit, uri);
    for (const key of wanted) {
      const home = homeOn(key, uri);
      if (home === undefined) continue;
      await this.#checkHome(unit, key, home);
      found.homes.set(key.record.keyId, home);
    }
    if (!derives) return;
    const { derivation, domain } = anchor;
    // Once more after the last wait: a lease that ended meanwhile took its leaves with it.
    for (
      let missing = this.#missing(wanted, found);
      missing.length > 0;
      missing = this.#missing(wanted, found)
    ) {
      for (const record of missing) {
        found.leaves.set(record.keyId, await deriveRecorded(unit, derivation, domain, record));
      }
    }
  }

  /** Wanted leaves that are neither loaded nor found. */
  #missing(wanted: readonly ShelfKey[], found: Found): readonly LeafRecord[] {
    return wanted.flatMap(({ record }) => {
      if (record.usage !== 'sign' || record.origin === 'token' || found.leaves.has(record.keyId)) return [];
      return this.#parts.shelf.find(rawKeyId(record.keyId))?.leaf === undefined ? [record] : [];
    });
  }

  /** Puts what was found on the shelf, in one turn with the opening of the lease. Answers how many of them the lease covers. */
  #take(unit: TokenUnit, wanted: readonly ShelfKey[], found: Found, covered: ReadonlySet<string>): number {
    if (!unit.loggedIn) throw new AgentError('token.locked', { message: 'the token was locked meanwhile' });
    let loaded = 0;
    for (const { record } of wanted) {
      const key = this.#parts.shelf.find(rawKeyId(record.keyId));
      const leaf = found.leaves.get(record.keyId);
      found.leaves.delete(record.keyId);
      if (key === undefined || (key.record.usage === 'sign' && key.record.state !== 'active')) {
        leaf?.wipe();
        continue;
      }
      if (key.leaf === undefined) key.leaf = leaf;
      else leaf?.wipe();
      const home = found.homes.get(record.keyId);
      if (home !== undefined) key.home = { token: unit.config.name, home };
      if (covered.has(record.keyId)) loaded += 1;
    }
    return loaded;
  }

  async #checkDerivation(unit: TokenUnit, anchor: KeyringAnchor): Promise<void> {
    const { home, backend, publicKey } = anchor.derivation;
    // The login has checked passphrase and slot.
    if (backend === 'otp') return;
    const found = await unit.call(
      'findDerivationKey',
      { id: home.id, label: home.label, backend },
      FIND_DEADLINE_MS,
    );
    if (found.result.publicKey !== publicKey) {
      throw new AgentError('keyring.other-token', { details: { token: unit.config.name } });
    }
  }

  async #checkHome(unit: TokenUnit, key: ShelfKey, home: { id: string; label: string }): Promise<void> {
    const { algorithm } = key.record;
    const wanted = { id: home.id, label: home.label, algorithm };
    const found = await unit.call('findSigningKey', wanted, FIND_DEADLINE_MS);
    if (found.result.publicKey !== key.record.publicKey) {
      throw new AgentError('keyring.other-token', { details: { token: unit.config.name, key: home.label } });
    }
  }
}

function holdsNothing(unit: TokenUnit, uri: string): AgentError {
  return new AgentError('keyring.other-token', {
    message: `token "${unit.config.name}" holds no key of the keyring that was asked for`,
    hint: 'check that this is the right token: "touchstone token show"; "touchstone key install" puts keys on it',
    details: { token: unit.config.name, uri },
  });
}

/** When a lease that begins now ends, milliseconds since 1970. */
export function leaseEndMs(config: Config, askedSeconds: number | undefined): number {
  const { defaultSeconds, maxSeconds } = config.lease;
  return Date.now() + Math.min(askedSeconds ?? defaultSeconds, maxSeconds) * 1000;
}

/** Whoever locks wants nothing to be open afterwards, also what somebody had begun to open. @throws AgentError `token.locked` */
function requireUnlocked(unit: TokenUnit, locks: number): void {
  if (unit.locks === locks) return;
  throw new AgentError('token.locked', {
    message: `unlocking token "${unit.config.name}": it was locked meanwhile`,
  });
}

/** The root stands ready for the keyring's own anchor; for clients only under a lease that names it, or names no keys. */
function coveredKeys(
  wanted: readonly ShelfKey[],
  named: readonly string[] | undefined,
  root: 'named' | 'any',
): ReadonlySet<string> {
  const covered = wanted.filter(
    ({ record }) =>
      record.usage === 'sign' || (named === undefined ? root === 'any' : named.includes(record.keyId)),
  );
  return new Set(covered.map(({ record }) => record.keyId));
}

/** A card stays open only for a lease that names a key on it: meanwhile any program can have it sign and derive. */
function coversRoot(wanted: readonly ShelfKey[], covered: ReadonlySet<string>): boolean {
  return wanted.some(
    ({ record }) => (record.usage === 'root' || record.origin === 'token') && covered.has(record.keyId),
  );
}

function isCard(unit: TokenUnit): boolean {
  return unit.config.kind === 'yubikey-piv';
}

function homeOn(key: ShelfKey, uri: string): LeafRecord['homes'][number] | undefined {
  const homes = key.record.usage === 'root' ? [key.record.home] : key.record.homes;
  return homes.find((home) => home.token === uri);
}

/** A PIN that was right gives every try back. */
function afterLogin({ tries }: HostTokenInfo): PinCounter {
  return {
    triesLeft: 'full',
    tries: tries === undefined ? undefined : { ...tries, left: tries.total },
  };
}

/** What a person should know before the next entry; a token that does not count says nothing. */
function triesWords(triesLeft: HostTokenInfo['triesLeft'], serial: string): string {
  if (triesLeft === 'low') return '; a try was used up';
  if (triesLeft === 'last') return `; only one try is left, and takes --use-last-try ${serial}`;
  return '';
}
