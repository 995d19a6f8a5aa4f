/**
 * Setting up: the root key and the derivation key, on one token or on two. Their private halves are born on the token and never
 * leave it.
 */
import { randomFillSync } from 'node:crypto';
import { secretBuffer } from '../crypto/secret-bytes.js';
import { AgentError, asAgentError } from '../errors/agent-error.js';
import { parseAttestation } from '../formats/piv-attestation.js';
import type { CardEvidence, DerivationRecord, LeafRecord, RootRecord } from '../keys/key-record.js';
import type { CardSetupFile } from '../state/card-setup-file.js';
import type { HostKeyInfo } from '../tokenhost/messages.js';
import { AUDIT_FIELDS } from './derivation-token.js';
import { CardSetup, type CardEvidences } from './card-setup.js';
import { deriveLeaf } from './deriving.js';
import { derivationRecord, nowText, rootRecord, slotRecord } from './setup-records.js';
import { Lease } from './lease.js';
import { requireTyped } from './pin-desk.js';
import { isEmbedded } from './token-selector.js';
import type { TokenUnit } from './token-unit.js';
import { leaseEndMs, type Unlocking, type UnlockParts } from './unlocking.js';
import type { KeeperCalls, KeeperEvent } from './wire.js';

/** Key generation on slow cards takes seconds. */
const GENERATE_DEADLINE_MS = 60_000;
const SO_PIN_BYTES = 24;
const LETTER_A = 0x61;

const ROOT_OBJECT = { id: Buffer.from('touchstone-root').toString('hex'), label: 'touchstone-root' } as const;
const DERIVATION_OBJECT = {
  id: Buffer.from('touchstone-derivation').toString('hex'),
  label: 'touchstone-derivation',
} as const;

/** The check value of an OTP slot, and what cards say of their keys. */
interface Prepared {
  readonly check: string | undefined;
  readonly cards: Partial<CardEvidences>;
}

/** A token, and the PIN that was entered for it. */
interface Entered {
  readonly unit: TokenUnit;
  readonly pin: Buffer;
  /** Cards only: the new one. */
  readonly puk?: Buffer | undefined;
}

interface ProvisioningParts extends UnlockParts {
  readonly cardSetups: CardSetupFile;
  readonly onEvent: (event: KeeperEvent) => void;
}

type SetupParams = KeeperCalls['setup']['params'];
type SetupResult = KeeperCalls['setup']['result'];

export class Provisioning {
  readonly #parts: ProvisioningParts;
  readonly #unlocking: Unlocking;
  readonly #cards: CardSetup;

  constructor(parts: ProvisioningParts, unlocking: Unlocking) {
    this.#parts = parts;
    this.#unlocking = unlocking;
    this.#cards = new CardSetup(unlocking, parts.cardSetups, (token, step) => {
      parts.onEvent({ event: 'setup', token, step });
    });
  }

  /** What `setup` would do with a card. @throws AgentError `token.unknown`, `usage.invalid` for another token */
  async plan(params: KeeperCalls['setup.plan']['params']): Promise<KeeperCalls['setup.plan']['result']> {
    const unit = this.#parts.unitOf(params.token);
    return { plan: await unit.section(() => this.#cards.plan(unit, params)) };
  }

  /** What a card shows of its root key. @throws AgentError `token.unknown`, and as `CardSetup.show` */
  async evidence({ token }: KeeperCalls['evidence']['params']): Promise<KeeperCalls['evidence']['result']> {
    const unit = this.#parts.unitOf(token);
    return { evidence: (await unit.section(() => this.#cards.show(unit))) ?? null };
  }

  /** @throws AgentError `keyring.exists`, `token.object-exists`, `token.slot-mode`, `token.pin-…` */
  async setup(params: SetupParams): Promise<SetupResult> {
    const { pins, unitOf } = this.#parts;
    const opened = pins.open(params.pin);
    const derivation: Entered = { unit: unitOf(opened.token), pin: opened.pin };
    if (params.rootPin === undefined) return this.#alone(derivation, () => this.#single(derivation, params));
    try {
      const openedRoot = pins.open(params.rootPin);
      const root: Entered = { unit: unitOf(openedRoot.token), pin: openedRoot.pin };
      return await this.#alone(root, () => {
        requireTwo(root.unit, derivation.unit);
        return this.#alone(derivation, () => this.#setup(root, derivation, params));
      });
    } finally {
      derivation.pin.fill(0);
    }
  }

  async #single(token: Entered, params: SetupParams): Promise<SetupResult> {
    const puk = params.puk === undefined ? undefined : this.#parts.pins.open(params.puk).pin;
    const both = { ...token, puk };
    return this.#setup(both, both, params).finally(() => puk?.fill(0));
  }

  /** Has the token to itself; the PIN is overwritten afterwards. */
  #alone<T>({ unit, pin }: Entered, work: () => Promise<T>): Promise<T> {
    return unit.section(work).finally(() => pin.fill(0));
  }

  async #setup(root: Entered, derivation: Entered, params: SetupParams): Promise<SetupResult> {
    if (this.#parts.anchor() !== undefined) throw new AgentError('keyring.exists');
    const isOtp = derivation.unit.config.kind === 'yubikey-otp';
    requireRootToken(root.unit);
    if (isOtp) await requireConfirmation(derivation.unit, params);
    try {
      const cards = await this.#prepareCards(root, derivation, params);
      // What was made on a card is taken from it like what anybody else has made.
      const isMade = root.unit === derivation.unit && cards.root !== undefined;
      return await this.#setupKeys(root, derivation, isMade ? { ...params, adopt: true } : params, cards);
    } catch (error) {
      derivation.unit.end();
      root.unit.end();
      throw error;
    }
  }

  /** Makes the keys of a card that holds both, or looks at those that are to be taken. */
  async #prepareCards(
    root: Entered,
    derivation: Entered,
    params: SetupParams,
  ): Promise<Partial<CardEvidences>> {
    const isSame = root.unit === derivation.unit;
    if (isSame && isCard(root.unit) && params.adopt !== true) {
      return this.#cards.make(root.unit, { pin: root.pin, puk: root.puk }, params);
    }
    return {
      ...(isCard(root.unit) ? { root: await this.#cards.look(root.unit, 'root', params) } : {}),
      ...(isCard(derivation.unit)
        ? { derivation: await this.#cards.look(derivation.unit, 'derivation', params) }
        : {}),
    };
  }

  async #setupKeys(
    root: Entered,
    derivation: Entered,
    params: SetupParams,
    cards: Partial<CardEvidences>,
  ): Promise<SetupResult> {
    const isOtp = derivation.unit.config.kind === 'yubikey-otp';
    await this.#enter(root, params);
    if (isOtp && params.adopt !== true) await requireNoRoot(root.unit);
    const check = root.unit === derivation.unit ? undefined : await this.#enter(derivation, params);
    return this.#makeKeys(root.unit, derivation.unit, params, { check, cards });
  }

  /** Logs in; a blank embedded token gets its PIN first. Answers the check value of an OTP slot. */
  async #enter({ unit, pin }: Entered, params: SetupParams): Promise<string | undefined> {
    await this.#initialiseBlank(unit, pin);
    const enrol = params.adopt === true ? 'adopt' : 'program';
    return this.#unlocking.login(unit, pin, params.useLastTry, enrol);
  }

  /** The SO PIN is drawn here and forgotten: whoever could read it from this disk could read the token file as well. */
  async #initialiseBlank(unit: TokenUnit, pin: Buffer): Promise<void> {
    const info = await unit.open();
    if (info.initialised) return;
    if (!isEmbedded(unit.config)) throw new AgentError('token.not-initialised');
    requireTyped(pin);
    const soPin = drawSoPin();
    const raw = secretBuffer(2 + soPin.length + pin.length);
    raw.writeUInt16BE(soPin.length, 0);
    soPin.copy(raw, 2);
    pin.copy(raw, 2 + soPin.length);
    soPin.fill(0);
    await unit.initialise(info.label, raw, GENERATE_DEADLINE_MS);
  }

  async #makeKeys(
    rootUnit: TokenUnit,
    unit: TokenUnit,
    params: SetupParams,
    { check, cards }: Prepared,
  ): Promise<SetupResult> {
    const { domain, owner } = params;
    const createdAt = nowText();
    const rootKey = await this.#rootKey(rootUnit, params, unit);
    const root: RootRecord = {
      ...rootRecord(rootKey, rootUnit.status().uri, createdAt),
      ...cardOf(cards.root, rootKey),
    };
    const derivation = await this.#derivation(unit, params, createdAt, { check, cards });
    const derived = await deriveLeaf(unit, derivation, domain, AUDIT_FIELDS);
    const audit: LeafRecord = {
      usage: 'sign',
      ...AUDIT_FIELDS,
      keyId: derived.keyId,
      publicKey: derived.spki.toString('base64'),
      state: 'active',
      createdAt,
      homes: [],
    };
    this.#parts.shelf.put(root).home = { token: rootUnit.config.name, home: root.home };
    const shelved = this.#parts.shelf.put(audit);
    // Loaded already when an earlier setup ended half-way.
    shelved.leaf?.wipe();
    shelved.leaf = derived.leaf;
    const grant = { owner, kinds: [], uses: undefined, blind: false };
    const expiresAtMs = leaseEndMs(this.#parts.config, params.seconds);
    const open = (token: TokenUnit, keys: readonly string[]): Lease => {
      const lease = new Lease({ ...grant, token: token.config.name, keys: new Set(keys), expiresAtMs });
      this.#parts.leases.open(lease);
      return lease;
    };
    // Each token is locked with its own lease.
    if (rootUnit !== unit) open(rootUnit, [root.keyId]);
    const lease = open(unit, rootUnit === unit ? [root.keyId, audit.keyId] : [audit.keyId]);
    return { root, derivation, audit, lease: lease.status() };
  }

  /** With an OTP slot the root may be missing after half a set-up, because the slot comes first. */
  async #rootKey(unit: TokenUnit, { adopt }: SetupParams, derivation: TokenUnit): Promise<HostKeyInfo> {
    const generate = async (): Promise<HostKeyInfo> =>
      (await unit.call('generateSigningKey', ROOT_OBJECT, GENERATE_DEADLINE_MS)).result;
    if (adopt !== true) return generate();
    try {
      return (await unit.call('findSigningKey', ROOT_OBJECT, GENERATE_DEADLINE_MS)).result;
    } catch (thrown) {
      const isMissing = asAgentError(thrown).code === 'token.key-missing';
      if (isMissing && derivation.config.kind === 'yubikey-otp') return generate();
      throw thrown;
    }
  }

  async #derivation(
    unit: TokenUnit,
    { adopt, backend }: SetupParams,
    createdAt: string,
    { check, cards }: Prepared,
  ): Promise<DerivationRecord> {
    const { uri } = unit.status();
    const { config } = unit;
    if (config.kind === 'yubikey-otp') {
      if (check === undefined) throw new AgentError('internal.unexpected');
      return slotRecord({ uri, createdAt, slot: config.slot, check, isAdopted: adopt === true });
    }
    const method = adopt === true ? 'findDerivationKey' : 'generateDerivationKey';
    const made = await unit.call(method, { ...DERIVATION_OBJECT, backend }, GENERATE_DEADLINE_MS);
    const record = derivationRecord(made.result, { uri, createdAt, backend });
    return { ...record, ...cardOf(cards.derivation, made.result) };
  }
}

function isCard(unit: TokenUnit): boolean {
  return unit.config.kind === 'yubikey-piv';
}

/** What is recorded of a key on a card; it has to be the key that was found. @throws AgentError `token.attestation` */
function cardOf(
  card: CardEvidence | undefined,
  { publicKey, label }: HostKeyInfo,
): { readonly card?: CardEvidence } {
  if (card === undefined) return {};
  const { attestation } = card;
  if (attestation === undefined) return { card };
  const { spki } = parseAttestation(Buffer.from(attestation, 'base64'));
  if (spki.toString('base64') === publicKey) return { card };
  throw new AgentError('token.attestation', {
    message: `${label}: the card attests another key than it has`,
  });
}

/** Letters a to p, four bits each; never a string. */
function drawSoPin(): Buffer {
  const pin = randomFillSync(secretBuffer(SO_PIN_BYTES));
  for (const [at, byte] of pin.entries()) pin[at] = LETTER_A + (byte & 0x0f);
  return pin;
}

function requireTwo(root: TokenUnit, derivation: TokenUnit): void {
  if (root !== derivation) return;
  throw new AgentError('usage.invalid', {
    message: `token "${root.config.name}" is named twice`,
    hint: 'leave out --root-token when one token holds both keys',
  });
}

function requireRootToken(unit: TokenUnit): void {
  if (unit.config.kind !== 'yubikey-otp') return;
  throw new AgentError('token.unsupported', {
    message: `token "${unit.config.name}" is an OTP slot: it derives, and cannot hold the root key`,
    hint: 'name the token for the root as well: touchstone token setup --otp --root-token NAME',
  });
}

/** Writing a slot destroys what is in it: the serial number says that a person knows which key is meant. */
async function requireConfirmation(unit: TokenUnit, params: SetupParams): Promise<void> {
  const { serial } = await unit.open();
  if (params.adopt === true || params.programSlotOf === serial) return;
  throw new AgentError('token.object-exists', {
    message: `setting up token "${unit.config.name}": its slot would be written anew, and the serial number was not confirmed`,
    hint: `add --confirm ${serial}, or --adopt to take the slot as it is`,
  });
}

/** The slot must not be lost to a set-up that cannot succeed. */
async function requireNoRoot(unit: TokenUnit): Promise<void> {
  try {
    await unit.call('findSigningKey', ROOT_OBJECT, GENERATE_DEADLINE_MS);
  } catch (thrown) {
    if (asAgentError(thrown).code === 'token.key-missing') return;
    throw thrown;
  }
  throw new AgentError('token.object-exists', { details: { token: unit.config.name } });
}
