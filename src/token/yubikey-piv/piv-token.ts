/**
 * The PIV applet of a YubiKey as a token: the root signs in 9C, leaves are derived in 82. Until a login it is only looked at, in
 * short transactions, so that other programs can use the card; libykcs11 is loaded for a login and stays until the process ends.
 */
import { AgentError } from '../../errors/agent-error.js';
import type { KeyAlgorithm } from '../../crypto/algorithms.js';
import type { ObjectBackend } from '../../keys/key-record.js';
import { parseKeyUri } from '../../keys/key-uri.js';
import type { Exchange } from './apdu.js';
import type { KeyReference, SignMechanism, Token, TokenInfo, TokenKey } from '../token.js';
import { holdCard, withCard, resetCard } from './card-reader.js';
import { readCardState, readSlot, type CardState, type SlotContent } from './card-state.js';
import { cardInfo, findCard, isStillThere, openedCard, type FoundCard } from './find-card.js';
import { requirePin } from './pin-form.js';
import { PinWatch } from './pin-watch.js';
import { PivAdmin } from './piv-admin.js';
import type { CardFacts, SlotFacts } from './piv-card.js';
import { ROOT_SLOT, slotNamed, slotOf, type PivSlot } from './piv-slots.js';
import { touchOutcome } from './touch-outcome.js';
import { Ykcs11 } from './ykcs11.js';

const SIGNATURE_BYTES = 64;

export class PivToken implements Token {
  #module = '';
  #card: FoundCard | undefined;
  #driver: Ykcs11 | undefined;
  /** While the card is being set up. */
  #admin: PivAdmin | undefined;
  #watch: PinWatch | undefined;

  open(module: string, uri: string): TokenInfo {
    const { serial } = parseKeyUri(uri);
    if (serial === undefined)
      throw new AgentError('usage.invalid', { message: 'open: a serial number is needed' });
    this.#module = module;
    this.#card = findCard(serial);
    return cardInfo(this.#card);
  }

  /** The reader tells whether the card is there; it is asked itself only where `isFresh` says so and nobody is logged in. */
  probe(isFresh = false): TokenInfo {
    const card = this.#opened();
    // Held by ourselves: a second look would wait for the first to end.
    const isInUse = this.#driver !== undefined || this.#admin !== undefined;
    if (isStillThere(card) && (!isFresh || isInUse)) return cardInfo(card);
    if (this.#driver !== undefined) throw removed(card);
    try {
      this.#card = findCard(card.serial);
    } catch (error) {
      if (error instanceof AgentError && error.code === 'token.absent') throw removed(card, error);
      throw error;
    }
    return cardInfo(this.#card);
  }

  initialise(): TokenInfo {
    throw unsupported('a card is initialised by its maker');
  }

  login(pin: Uint8Array): TokenInfo {
    requirePin(pin);
    this.#driver?.[Symbol.dispose]();
    this.#driver = undefined;
    this.#watch = undefined;
    // The card that goes back in may be another one: no PIN before it has said its serial number.
    const { serial } = this.probe(true);
    const driver = new Ykcs11(this.#module, serial);
    const card = this.#opened();
    try {
      if (!isStillThere(card)) throw removed(card);
      driver.login(pin);
    } catch (error) {
      driver[Symbol.dispose]();
      throw error;
    }
    this.#driver = driver;
    this.#watch = new PinWatch(card);
    const opened = openedCard(card);
    this.#card = opened;
    return cardInfo(opened);
  }

  generateSigningKey(): TokenKey {
    throw unsupported('root and derivation key are made on it together, by a set-up of this one token');
  }

  generateDerivationKey(): TokenKey {
    return this.generateSigningKey();
  }

  findSigningKey(key: KeyReference, algorithm: KeyAlgorithm): TokenKey {
    if (algorithm !== 'ecdsa-p256') throw unsupported(`there are no keys of ${algorithm} on it`);
    const slot = slotOf(key, 'sign');
    const facts = this.#look(slot);
    if (facts.policies?.pin === 'always') throw asksEachTime(slot);
    return describe(slot, facts);
  }

  findPublicKey(spki: Uint8Array): TokenKey {
    const found = describe(ROOT_SLOT, this.#look(ROOT_SLOT));
    if (found.publicKey === Buffer.from(spki).toString('base64')) return found;
    throw new AgentError('token.key-missing', { message: `${ROOT_SLOT.key.label} holds another key` });
  }

  findDerivationKey(key: KeyReference, backend: ObjectBackend): TokenKey {
    if (backend !== 'ec') throw unsupported(`it cannot derive with ${backend}`);
    const slot = slotOf(key, 'derive');
    return describe(slot, this.#look(slot));
  }

  evaluatePrf(key: KeyReference, backend: ObjectBackend, input: Uint8Array): Buffer {
    if (backend !== 'ec') throw unsupported(`it cannot derive with ${backend}`);
    const slot = slotOf(key, 'derive');
    const point = Buffer.from(input.buffer, input.byteOffset, input.byteLength);
    return this.#withDriver((driver) => driver.agree(slot, point));
  }

  signDigest(key: KeyReference, digest: Uint8Array): Buffer {
    const signature = this.signData(key, 'ecdsa-p256', 'ecdsa', digest);
    if (signature.length === SIGNATURE_BYTES) return signature;
    throw new AgentError('token.bad-signature', {
      message: `C_Sign: the token returned ${signature.length} bytes instead of ${SIGNATURE_BYTES}`,
    });
  }

  signData(key: KeyReference, algorithm: KeyAlgorithm, mechanism: SignMechanism, data: Uint8Array): Buffer {
    if (algorithm !== 'ecdsa-p256') throw unsupported(`there are no keys of ${algorithm} on it`);
    const slot = slotOf(key, 'sign');
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    return this.#withDriver((driver) => driver.sign(slot, mechanism, bytes));
  }

  importSigningKey(): TokenKey {
    throw unsupported('leaves are not put on it: its slots are for root and derivation key');
  }

  /** What a set-up finds. */
  state(): CardFacts & CardState {
    return this.#inspect((exchange, facts) => ({ ...facts, ...readCardState(exchange) }));
  }

  content(slot: PivSlot): SlotContent {
    return this.#inspect((exchange) => readSlot(exchange, slot));
  }

  /** @throws AgentError `token.key-missing` for a slot that is not used here */
  slot(key: KeyReference): PivSlot {
    return slotNamed(key);
  }

  /** Begins a set-up, with the card held from now on. @param isNew change the PIN of the factory to this one @throws AgentError `token.pin-…` */
  begin(pin: Uint8Array, isNew: boolean): void {
    const { reader, serial } = this.#opened();
    this[Symbol.dispose]();
    const admin = new PivAdmin(holdCard(reader), serial);
    try {
      admin.enterPin(pin, isNew);
    } catch (error) {
      admin[Symbol.dispose]();
      throw error;
    }
    this.#admin = admin;
  }

  /** @throws AgentError `token.pin-needed` outside of a set-up */
  get admin(): PivAdmin {
    if (this.#admin === undefined) throw new AgentError('token.pin-needed');
    return this.#admin;
  }

  /** Ends a set-up, and the login with it. */
  end(): void {
    this.#admin?.[Symbol.dispose]();
    this.#admin = undefined;
  }

  /** Ends the login on both sides: a card that stays logged in signs and derives for any program. */
  [Symbol.dispose](): void {
    this.end();
    if (this.#driver === undefined) return;
    this.#driver[Symbol.dispose]();
    this.#driver = undefined;
    this.#watch = undefined;
    const card = this.#opened();
    if (isStillThere(card)) resetCard(card.reader);
  }

  #look(slot: PivSlot): SlotFacts {
    const { reader, serial } = this.#opened();
    return withCard(reader, (card) => {
      // Selecting may end a login, so it is done only where there is none.
      if (this.#driver === undefined && card.identify().serial !== serial) throw removed(this.#opened());
      return card.slot(slot);
    });
  }

  #inspect<T>(look: (exchange: Exchange, facts: CardFacts) => T): T {
    const opened = this.#opened();
    // Selecting the applet may end a login.
    if (this.#driver !== undefined || this.#admin !== undefined) throw new AgentError('token.busy');
    return withCard(opened.reader, (card) => {
      const facts = card.identify();
      if (facts.serial !== opened.serial) throw removed(opened);
      return look(card.exchange, facts);
    });
  }

  #opened(): FoundCard {
    if (this.#card !== undefined) return this.#card;
    throw new AgentError('usage.invalid', { message: 'token host: no token is open; call "open" first' });
  }

  #withDriver<T>(work: (driver: Ykcs11) => T): T {
    const [driver, watch] = [this.#driver, this.#watch];
    if (driver === undefined || watch === undefined) throw new AgentError('token.pin-needed');
    return watch.during(
      () => touchOutcome(() => work(driver)),
      () => {
        this[Symbol.dispose]();
      },
    );
  }
}

function describe({ key }: PivSlot, { spki, policies, isImported }: SlotFacts): TokenKey {
  const touch = policies === undefined ? undefined : policies.touch !== 'never';
  return { ...key, publicKey: spki.toString('base64'), touch, isImported };
}

/** No process keeps a PIN after login, so nobody could answer. */
function asksEachTime({ key }: PivSlot): AgentError {
  return new AgentError('token.unsupported', {
    message: `${key.label}: its key asks for the PIN at each signature`,
    hint: 'make one with "ykman piv keys generate --pin-policy ONCE"; a policy cannot be changed afterwards',
    details: { slot: key.id, pinPolicy: 'always' },
  });
}

function removed({ serial }: FoundCard, cause?: unknown): AgentError {
  return new AgentError('token.removed', {
    message: `YubiKey ${serial}: it was removed`,
    details: { serial },
    cause,
  });
}

function unsupported(why: string): AgentError {
  return new AgentError('token.unsupported', { message: `using a YubiKey: ${why}` });
}
