/** What a set-up does with a card, settled before anything is done. Pure: the card was looked at, and nobody has been asked yet. */
import { keyIdOf } from '../crypto/key-id.js';
import { AgentError } from '../errors/agent-error.js';
import type { VouchingRoot } from '../formats/attestation-chain.js';
import type { MadeKeys } from '../state/card-setup-file.js';
import type { CardPolicies, HostCardSlot, HostCardState } from '../tokenhost/messages.js';
import { cardWarnings } from './card-warnings.js';
import type { CardChoices, CardPlan, CardSlotPlan } from './wire.js';

/** A card as it is now. */
export interface FoundCard {
  readonly state: HostCardState;
  readonly root: HostCardSlot;
  readonly derivation: HostCardSlot;
  /** Who vouches for it; undefined where the configuration names no roots, or why nobody does. */
  readonly vendor: VouchingRoot | undefined | AgentError;
  /** What an earlier set-up has made on it. */
  readonly made: MadeKeys;
}

type Choices = CardChoices & { readonly adopt?: boolean | undefined };

/** PIN once: an unlock then lasts for as many signatures as its lease allows, and nobody keeps a PIN for the next one. */
const PIN_POLICY = 'once';

/** @param token its name in the configuration */
export function planCard(token: string, found: FoundCard, choices: Choices): CardPlan {
  const { serial, firmware, pin, puk, management } = found.state;
  const isAdopted = choices.adopt === true;
  const root = isAdopted ? adopted(found.root) : made(found.root, rootPolicies(choices), found.made);
  const derivation = isAdopted
    ? adopted(found.derivation)
    : made(found.derivation, derivationPolicies(choices), found.made);
  const hasVendor = found.vendor !== undefined && !(found.vendor instanceof AgentError);
  return {
    token,
    serial,
    firmware,
    pin: !isAdopted && pin?.isFactory === true ? 'change' : 'enter',
    puk: puk === undefined ? 'unknown' : !isAdopted && puk.isFactory && puk.triesLeft > 0 ? 'change' : 'keep',
    ...(isAdopted ? {} : { managementKey: management.isFactory === true ? 'change' : 'use' }),
    root,
    derivation,
    vendor: hasVendor ? found.vendor.vendor : 'unchecked',
    warnings: cardWarnings(found, derivation.touch),
    refusals: refusals(found, isAdopted).map((error) => error.toData()),
  };
}

/** The first reason why the plan cannot be followed, with what a person has typed. @param typed after --confirm, and the phrase */
export function requireAgreed(
  { serial, root, derivation, refusals: [refusal] }: CardPlan,
  typed: { readonly serial: string | undefined; readonly hasPhrase: boolean },
): void {
  if (refusal !== undefined) throw AgentError.fromData(refusal);
  const lost = [root, derivation].filter(({ action }) => action === 'replace').map(({ slot }) => slot);
  if (lost.length > 0 && typed.serial !== serial) {
    throw new AgentError('token.object-exists', {
      message: `setting up YubiKey ${serial}: slot ${lost.join(' and slot ')} is in use, and the serial number was not confirmed`,
      hint: `what is there would be lost for good: add --confirm ${serial}, or --adopt to take the keys as they are`,
      details: { serial, slots: lost },
    });
  }
  requireTouch(derivation, typed.hasPhrase);
}

/** @throws AgentError `token.without-touch` */
export function requireTouch({ slot, touch }: CardSlotPlan, hasPhrase: boolean): void {
  if (hasPhrase || touch === 'always' || touch === 'cached') return;
  throw new AgentError('token.without-touch', {
    message:
      touch === undefined
        ? `slot ${slot}: the card does not say whether its key asks for a touch`
        : `slot ${slot}: its key works without a touch, so any program of this computer can derive while the card is open`,
    details: { slot },
  });
}

function rootPolicies({ rootTouch = 'always' }: Choices): CardPolicies {
  return { pin: PIN_POLICY, touch: rootTouch };
}

/** One touch opens a cached key for 15 seconds: enough for everything an unlock derives. */
function derivationPolicies({ derivationTouch = 'cached' }: Choices): CardPolicies {
  return { pin: PIN_POLICY, touch: derivationTouch };
}

function adopted({ id, policies }: HostCardSlot): CardSlotPlan {
  return { slot: id, action: 'adopt', ...policies };
}

function made(found: HostCardSlot, wanted: CardPolicies, earlier: MadeKeys): CardSlotPlan {
  if (found.content === 'empty') return { slot: found.id, action: 'make', ...wanted };
  const action = isOurs(found, wanted, earlier) ? 'keep' : 'replace';
  return { slot: found.id, action, ...wanted };
}

/**
 * Whether an interrupted set-up made this key. One that it was about to make counts when the card says that it was made there, as
 * was asked: taking it destroys nothing.
 */
function isOurs(found: HostCardSlot, wanted: CardPolicies, earlier: MadeKeys): boolean {
  const { publicKey, policies, attestation } = found;
  if (publicKey === undefined || attestation === undefined) return false;
  if (policies?.pin !== wanted.pin || policies.touch !== wanted.touch) return false;
  const noted = earlier[found.id];
  return noted === 'begun' || noted === keyIdOf(Buffer.from(publicKey, 'base64'));
}

function refusals(found: FoundCard, isAdopted: boolean): readonly AgentError[] {
  const { state, vendor } = found;
  const reasons: AgentError[] = [];
  if (vendor instanceof AgentError) reasons.push(vendor);
  if (isAdopted) return reasons;
  if (state.device === undefined) {
    reasons.push(
      new AgentError('token.attestation', {
        message:
          'reading the card: it has no certificate of its maker, so it cannot attest the keys it makes',
        hint: 'make the keys with another program and take them with --adopt',
      }),
    );
  }
  if (state.pin?.triesLeft === 0)
    reasons.push(new AgentError('token.pin-locked', { details: { serial: state.serial } }));
  const { isFactory, isStored } = state.management;
  if (isFactory !== true && !isStored) reasons.push(unknownManagementKey(isFactory === undefined));
  return reasons;
}

function unknownManagementKey(isOld: boolean): AgentError {
  const change = 'ykman piv access change-management-key --generate --protect';
  return new AgentError('token.management-key', {
    message: isOld
      ? 'management key: this firmware does not tell whether it is still the one of the factory, and it is not stored on the card'
      : 'management key: it is neither the one of the factory nor stored on the card',
    hint: isOld
      ? `change all three first: ykman piv access change-pin; ykman piv access change-puk; ${change}`
      : `have it stored: ${change}`,
  });
}
