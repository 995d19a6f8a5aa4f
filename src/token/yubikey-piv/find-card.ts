/** The card with a serial number, in whatever reader it is now. */
import { AgentError } from '../../errors/agent-error.js';
import { formatKeyUri } from '../../keys/key-uri.js';
import type { PinTries, TokenInfo } from '../token.js';
import { readersWithCards, resetCard, withCard } from './card-reader.js';
import type { CardFacts, PivCard } from './piv-card.js';

/** A card, the reader it is in, and the reader's count when it was looked at: another count means that a card came or went. */
export interface FoundCard extends CardFacts {
  readonly reader: string;
  readonly events: number;
  readonly tries: PinTries | undefined;
}

/**
 * Looks at each card until the wanted one is found. Nobody is logged in to it afterwards where the firmware has no other way to tell
 * the counter of the PIN.
 * @throws AgentError `token.absent`, or why the only card could not be read
 */
export function findCard(serial: string): FoundCard {
  const others: string[] = [];
  let failure: unknown;
  for (const { name, events } of readersWithCards()) {
    try {
      const facts = withCard(name, (card) => card.identify());
      if (facts.serial === serial) return { ...facts, reader: name, events, tries: readTries(name) };
      others.push(facts.serial);
    } catch (thrown) {
      failure ??= thrown;
    }
  }
  if (failure instanceof AgentError && failure.code !== 'token.unsupported') throw failure;
  throw new AgentError('token.absent', {
    message: `YubiKey ${serial}: it is not connected${others.length === 0 ? '' : `; connected: ${others.join(', ')}`}`,
    details: { serial, connected: others },
  });
}

/** Whether no card came or went in the reader since; asks the reader, not the card. */
export function isStillThere({ reader, events }: FoundCard): boolean {
  return readersWithCards().some((each) => each.name === reader && each.events === events);
}

/** The same card after a login: all its tries are back. */
export function openedCard(card: FoundCard): FoundCard {
  const { tries } = card;
  return tries === undefined ? card : { ...card, tries: { ...tries, left: tries.total } };
}

/** What a card says of itself, in the words of PKCS#11; its URI is made from the serial number alone. */
export function cardInfo({ serial, firmware, tries }: FoundCard): TokenInfo {
  return {
    label: `YubiKey PIV #${serial}`,
    serial,
    manufacturer: 'Yubico',
    model: `YubiKey ${firmware.split('.')[0] ?? ''}`,
    firmware,
    initialised: true,
    loginRequired: true,
    triesLeft: triesWord(tries),
    tries,
    uri: formatKeyUri({ serial }),
  };
}

/** Somebody is logged in to an old card: after a reset it tells. */
function readTries(reader: string): PinTries | undefined {
  const look = (card: PivCard): PinTries | undefined => {
    card.identify();
    return card.pinTries();
  };
  const tries = withCard(reader, look);
  if (tries !== undefined) return tries;
  resetCard(reader);
  return withCard(reader, look);
}

/** Not known is not full: nobody's try is spent on a guess. */
function triesWord(tries: PinTries | undefined): TokenInfo['triesLeft'] {
  if (tries === undefined || tries.left === 1) return 'last';
  if (tries.left === 0) return 'locked';
  return tries.left < tries.total ? 'low' : 'full';
}
