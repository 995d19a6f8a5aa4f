/** What `token setup` does with a card, as a person reads it before it happens. */
import type { CardPlanInfo } from '../protocol/methods.js';

type SlotPlan = CardPlanInfo['root'];
type Warning = CardPlanInfo['warnings'][number];

const PIN_WORDS: Readonly<Record<CardPlanInfo['pin'], string>> = {
  change: 'PIN: the one of the factory is changed to the one that you choose, 6 to 8 characters',
  enter: 'PIN: you enter it; one attempt',
};

const PUK_WORDS: Readonly<Record<CardPlanInfo['puk'], string>> = {
  change:
    'PUK: the one of the factory is changed to the one that you choose, 6 to 8 characters; keep it apart from the PIN',
  keep: 'PUK: it stays as it is',
  unknown: 'PUK: it stays as it is',
};

const MANAGEMENT_WORDS = {
  change:
    'management key: a random one takes the place of the one of the factory; the card keeps it, and gives it to who has the PIN',
  use: 'management key: the one that is stored on the card is used, after the PIN',
} as const;

const ROOT_TOUCH: Readonly<Record<string, string>> = {
  always: 'a touch for each signature',
  cached: 'a touch, good for 15 seconds',
};

const DERIVATION_TOUCH: Readonly<Record<string, string>> = {
  always: 'a touch for each key that is derived',
  cached: 'a touch, good for 15 seconds: one opens it for everything that an unlock derives',
  never: 'NO TOUCH: any program of this computer can derive every key while the card is open',
};

const VENDOR_WORDS: Readonly<Record<CardPlanInfo['vendor'], string>> = {
  yubico: 'what the card attests of both keys is checked: a root of Yubico vouches for this card',
  configured:
    'what the card attests of both keys is checked: a root of attestation-roots, not one of Yubico, vouches for this card',
  unchecked: 'what the card attests of both keys is recorded in the keyring; no root vouches for the card',
};

const WARNING_WORDS: Readonly<Record<Warning, string>> = {
  'ecdsa-side-channel':
    'firmware before 5.7 (YSA-2024-03): who has the card, and equipment to measure it at work, can read its ECDSA keys',
  roca: 'firmware 4.2.6 to 4.3.4 (YSA-2017-01): it attests with an RSA key that can be forged; its attestation proves nothing',
  'hidden-keys':
    'firmware before 5.3: a key that was imported without a certificate does not show itself, and would be lost',
  'puk-unknown':
    'firmware before 5.3 does not tell whether the PUK is the one of the factory: change it if you have not (ykman piv access change-puk)',
  'attestation-unchecked':
    'nobody checks that this is a real YubiKey: name the roots of the vendor in attestation-roots',
  'without-touch':
    'the derivation key works without a touch, or the card does not say: you will be asked to accept that',
};

/** The plan, a step a line, then what should be known and what is in the way. */
export function renderCardPlan(plan: CardPlanInfo): string {
  const steps = stepsOf(plan).map((words, index) => `  ${index + 1}. ${words}`);
  const warnings = plan.warnings.map((warning) => `  note: ${WARNING_WORDS[warning]}`);
  const refusals = plan.refusals.map(({ message, hint }) => `  cannot be done: ${message}; ${hint}`);
  const head = `YubiKey ${plan.serial} (firmware ${plan.firmware}), token "${plan.token}":`;
  return [head, ...steps, ...warnings, ...refusals].join('\n');
}

/** Slots whose keys would be lost. */
export function lostSlots({ root, derivation }: CardPlanInfo): readonly string[] {
  return [root, derivation].filter(({ action }) => action === 'replace').map(({ slot }) => slot);
}

function stepsOf(plan: CardPlanInfo): readonly string[] {
  const { managementKey } = plan;
  const isAdopted = managementKey === undefined;
  return [
    PIN_WORDS[plan.pin],
    ...(isAdopted ? [] : [PUK_WORDS[plan.puk], MANAGEMENT_WORDS[managementKey]]),
    slotWords('root key', plan.root, ROOT_TOUCH),
    slotWords('derivation key', plan.derivation, DERIVATION_TOUCH),
    VENDOR_WORDS[plan.vendor],
    isAdopted
      ? 'the root signs the keyring'
      : 'the root signs a certificate of its own, by which programs find it, and then the keyring',
  ];
}

function slotWords(
  what: string,
  { slot, action, pin, touch }: SlotPlan,
  words: Readonly<Record<string, string>>,
): string {
  const policies = [
    pin === undefined ? undefined : pin === 'once' ? 'the PIN once for each unlock' : `PIN policy ${pin}`,
    touch === undefined ? undefined : (words[touch] ?? `touch policy ${touch}`),
  ].filter((word) => word !== undefined);
  const how = policies.length === 0 ? '' : `; ${policies.join(', ')}`;
  switch (action) {
    case 'make':
      return `slot ${slot}: the ${what} is made on the card${how}`;
    case 'replace':
      return `slot ${slot}: the ${what} is made on the card${how}; THE SLOT IS IN USE: what is in it is lost for good`;
    case 'keep':
      return `slot ${slot}: the ${what} is there already, from a set-up that was interrupted${how}`;
    case 'adopt':
      return `slot ${slot}: the ${what} is taken as it is${how}`;
  }
}
