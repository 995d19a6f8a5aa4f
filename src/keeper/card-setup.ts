/**
 * Setting up a card, step by step: PIN, PUK and management key, the root in 9C, the derivation key in 82, their attestation and their
 * certificates. Each step can be the last: the same command goes on from there.
 */
import { keyIdOf } from '../crypto/key-id.js';
import { AgentError, asAgentError } from '../errors/agent-error.js';
import { checkAttestation, rootOf } from '../formats/attestation-chain.js';
import type { CardEvidence } from '../keys/key-record.js';
import { UNTOUCHED_PHRASE } from '../protocol/untouched.js';
import type { CardSetupFile } from '../state/card-setup-file.js';
import type { HostCardSlot } from '../tokenhost/messages.js';
import { readAttestationRoots } from './attestation-roots.js';
import { nameKey } from './card-certificate.js';
import { planCard, requireAgreed, requireTouch, type FoundCard } from './card-plan.js';
import type { TokenUnit } from './token-unit.js';
import type { Unlocking } from './unlocking.js';
import type { CardPlan, CardSlotPlan, KeeperCalls, SetupStep, ShownCardKey } from './wire.js';

/** Reading a card, and changing it; a card may make several attempts at a key, and waits 15 s for a touch. Milliseconds. */
const LOOK_DEADLINE_MS = 10_000;
const CHANGE_DEADLINE_MS = 20_000;
const GENERATE_DEADLINE_MS = 60_000;

const ROOT = { id: '9c', label: 'slot 9c' } as const;
const DERIVATION = { id: '82', label: 'slot 82' } as const;

type SetupParams = KeeperCalls['setup']['params'];

/** What the keyring records of the two keys. */
export interface CardEvidences {
  readonly root: CardEvidence;
  readonly derivation: CardEvidence;
}

export interface CardSecrets {
  readonly pin: Buffer;
  /** The new PUK. */
  readonly puk: Buffer | undefined;
}

export class CardSetup {
  readonly #unlocking: Unlocking;
  readonly #file: CardSetupFile;
  readonly #onStep: (token: string, step: SetupStep) => void;

  constructor(unlocking: Unlocking, file: CardSetupFile, onStep: (token: string, step: SetupStep) => void) {
    this.#unlocking = unlocking;
    this.#file = file;
    this.#onStep = onStep;
  }

  /** What a set-up would do. */
  async plan(unit: TokenUnit, choices: KeeperCalls['setup.plan']['params']): Promise<CardPlan> {
    requireCard(unit);
    return planCard(unit.config.name, await this.#look(unit), choices);
  }

  /** A key that is there already: whether it may be taken, and what the card says of it. @throws AgentError `token.…` */
  async look(unit: TokenUnit, role: keyof CardEvidences, params: SetupParams): Promise<CardEvidence> {
    const found = await this.#look(unit);
    const plan = planCard(unit.config.name, found, { adopt: true });
    const [refusal] = plan.refusals;
    if (refusal !== undefined) throw AgentError.fromData(refusal);
    const evidence = evidenceOf(found, found[role]);
    if (role === 'derivation') requireTouch(plan.derivation, hasPhrase(params));
    return evidence;
  }

  /**
   * The key in 9C, whoever made it, and what the card and its maker say of it; it need not be one of our keyring.
   * @returns undefined for a token that is no card
   * @throws AgentError `token.busy` while somebody is logged in, `token.key-missing`, `token.attestation`
   */
  async show(unit: TokenUnit): Promise<ShownCardKey | undefined> {
    const { kind, name } = unit.config;
    if (kind !== 'yubikey-piv') return undefined;
    // To look at it would end the login, and what hangs on it.
    if (unit.loggedIn) throw unlocked(name);
    const found = await this.#look(unit);
    const { root, derivation, vendor } = found;
    if (vendor instanceof AgentError) throw vendor;
    return {
      slot: root.id,
      publicKey: spkiOf(root).toString('base64'),
      ...evidenceOf(found, root),
      ...(derivation.publicKey === undefined ? {} : { derivationKey: derivation.publicKey }),
    };
  }

  /** Follows the plan; the card is locked again afterwards. @throws AgentError `token.…` */
  async make(unit: TokenUnit, secrets: CardSecrets, params: SetupParams): Promise<CardEvidences> {
    const found = await this.#look(unit);
    const plan = planCard(unit.config.name, found, params);
    requireAgreed(plan, { serial: params.programSlotOf, hasPhrase: hasPhrase(params) });
    requireSecrets(plan, secrets);
    await this.#enter(unit, plan, secrets, params.useLastTry);
    try {
      const root = await this.#key(unit, found, found.root, plan.root, 'root-key');
      const derivation = await this.#key(unit, found, found.derivation, plan.derivation, 'derivation-key');
      const evidences = { root: evidenceOf(found, root), derivation: evidenceOf(found, derivation) };
      await this.#certify(unit, found, root, derivation);
      this.#tell(unit, 'keyring');
      return evidences;
    } finally {
      await unit.call('cardEnd', {}, LOOK_DEADLINE_MS).catch(() => undefined);
    }
  }

  async #look(unit: TokenUnit): Promise<FoundCard> {
    if (unit.loggedIn) unit.end();
    await unit.open();
    const { result: state } = await unit.call('cardState', {}, LOOK_DEADLINE_MS);
    const { result: root } = await unit.call('cardSlot', ROOT, LOOK_DEADLINE_MS);
    const { result: derivation } = await unit.call('cardSlot', DERIVATION, LOOK_DEADLINE_MS);
    return {
      state,
      root,
      derivation,
      vendor: vendorOf(unit, state.device),
      made: this.#file.made(state.serial),
    };
  }

  /** PIN, PUK and management key. The card is held from here on. */
  async #enter(
    unit: TokenUnit,
    plan: CardPlan,
    { pin, puk }: CardSecrets,
    useLastTry: string | undefined,
  ): Promise<void> {
    this.#tell(unit, 'pin');
    await this.#unlocking.attempt(unit, pin, useLastTry, (sent) =>
      unit.call('cardBegin', { isNew: plan.pin === 'change' }, CHANGE_DEADLINE_MS, sent),
    );
    if (plan.puk === 'change' && puk !== undefined) {
      this.#tell(unit, 'puk');
      await unit.call('cardPuk', {}, CHANGE_DEADLINE_MS, Buffer.from(puk));
    }
    this.#tell(unit, 'management-key');
    await unit.call('cardManagement', {}, CHANGE_DEADLINE_MS);
  }

  async #key(
    unit: TokenUnit,
    found: FoundCard,
    before: HostCardSlot,
    { action, pin, touch }: CardSlotPlan,
    step: SetupStep,
  ): Promise<HostCardSlot> {
    if (action === 'keep') return before;
    this.#tell(unit, step);
    const { serial } = found.state;
    const { id, label } = before;
    if (pin === undefined || touch === undefined) throw new AgentError('internal.unexpected');
    this.#file.note(serial, id, 'begun');
    const { result } = await unit.call('cardGenerate', { id, label, pin, touch }, GENERATE_DEADLINE_MS);
    this.#file.note(serial, id, { keyId: keyIdOf(spkiOf(result)) });
    if (result.attestation === undefined)
      throw new AgentError('token.attestation', {
        message: `${label}: the card does not attest the key it made`,
      });
    return result;
  }

  /**
   * The root names itself, which takes a touch and shows that it signs. Nothing is signed with the derivation key: the card's own word
   * about it serves as its certificate.
   */
  async #certify(
    unit: TokenUnit,
    found: FoundCard,
    root: HostCardSlot,
    derivation: HostCardSlot,
  ): Promise<void> {
    this.#tell(unit, 'certificates');
    const put = (slot: typeof ROOT | typeof DERIVATION, certificate: Buffer): Promise<unknown> =>
      unit.call('cardCertificate', slot, CHANGE_DEADLINE_MS, certificate);
    const named = { spki: spkiOf(root), serial: found.state.serial, slot: ROOT.id };
    const certificate = await nameKey(named, async (digest) => {
      const { raw } = await unit.call('cardSign', ROOT, CHANGE_DEADLINE_MS, digest);
      return raw;
    });
    await put(ROOT, certificate);
    await put(DERIVATION, Buffer.from(derivation.attestation ?? '', 'base64'));
  }

  #tell(unit: TokenUnit, step: SetupStep): void {
    this.#onStep(unit.config.name, step);
  }
}

/** Whether a token can be set up key by key. @throws AgentError `usage.invalid` */
function requireCard({ config }: TokenUnit): void {
  if (config.kind === 'yubikey-piv') return;
  throw new AgentError('usage.invalid', {
    message: `planning the set-up of token "${config.name}": it is not a card`,
    hint: 'run "touchstone token setup" without --plan',
  });
}

function unlocked(token: string): AgentError {
  return new AgentError('token.busy', {
    message: `reading what token "${token}" says of its key: it is unlocked`,
    hint: `lock it first: touchstone lock --token ${token}`,
    details: { token },
  });
}

function hasPhrase({ withoutTouch }: SetupParams): boolean {
  return withoutTouch === UNTOUCHED_PHRASE;
}

function requireSecrets(plan: CardPlan, { pin, puk }: CardSecrets): void {
  if (plan.puk === 'change' && puk === undefined) {
    throw new AgentError('token.pin-format', {
      message: 'the card has the PUK of the factory, and no new one was entered',
      hint: 'run the command again; without a terminal add --puk-file FILE',
    });
  }
  if (puk?.equals(pin) !== true) return;
  throw new AgentError('token.pin-format', {
    message: 'the PUK is the same as the PIN; nothing was sent',
    hint: 'choose another one: whoever sees the PIN could unblock the card for ever',
  });
}

/** @returns undefined where the configuration names no roots; why nobody vouches, as an error that is not thrown */
function vendorOf({ config }: TokenUnit, device: string | undefined): FoundCard['vendor'] {
  const roots = config.kind === 'yubikey-piv' ? config.attestationRoots : undefined;
  if (roots === undefined || device === undefined) return undefined;
  try {
    return rootOf(Buffer.from(device, 'base64'), readAttestationRoots(roots));
  } catch (thrown) {
    return asAgentError(thrown);
  }
}

/** What is recorded; what the card says of its own key is checked first. @throws AgentError `token.attestation` */
function evidenceOf({ state, vendor }: FoundCard, slot: HostCardSlot): CardEvidence {
  const { serial, firmware, device } = state;
  const { policies, attestation, id } = slot;
  const said = { serial, firmware, ...policies };
  if (attestation === undefined || device === undefined) return said;
  const pair = { key: Buffer.from(attestation, 'base64'), device: Buffer.from(device, 'base64') };
  const attested = checkAttestation(pair, { spki: spkiOf(slot), serial, slot: id });
  if (attested.policies?.pin !== policies?.pin || attested.policies?.touch !== policies?.touch) {
    throw new AgentError('token.attestation', {
      message: `slot ${id}: the card attests other policies than it shows`,
    });
  }
  const isVouched = vendor !== undefined && !(vendor instanceof AgentError);
  return { ...said, attestation, device, ...(isVouched ? { root: vendor.sha256 } : {}) };
}

/** @throws AgentError `token.key-missing`, `token.unsupported` */
function spkiOf({ publicKey, content, label }: HostCardSlot): Buffer {
  if (publicKey !== undefined) return Buffer.from(publicKey, 'base64');
  throw content === 'empty'
    ? new AgentError('token.key-missing', { message: `${label}: there is no key in it` })
    : new AgentError('token.unsupported', { message: `${label}: its key is not of P-256` });
}
