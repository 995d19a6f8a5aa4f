/** Cards in the readers of this computer: which are there, and work with one of them, which nobody can interrupt. */
import { nativeShims, type PcscReader } from '../../platform/native-shims.js';
import type { Exchange } from './apdu.js';
import { isReset, pcscError } from './pcsc-errors.js';
import { PivCard } from './piv-card.js';

/** Time for the transactions of other programs to end, milliseconds. */
const WAIT_MS = 3_000;

/** Readers that have a card. @throws AgentError `token.absent` without a smart card service */
export function readersWithCards(): readonly PcscReader[] {
  try {
    return nativeShims()
      .pcscReaders()
      .filter(({ present }) => present);
  } catch (thrown) {
    throw pcscError('listing smart card readers', thrown);
  }
}

/**
 * Work with the card in a reader, in one transaction. Only looks: it is repeated once when another program has reset the card.
 * @throws AgentError `token.busy`, `token.removed`, `token.absent`, `token.device`
 */
export function withCard<T>(reader: string, work: (card: PivCard) => T): T {
  try {
    return once(reader, work);
  } catch (thrown) {
    if (!isReset(thrown)) throw pcscError('talking to the card', thrown);
  }
  try {
    return once(reader, work);
  } catch (thrown) {
    throw pcscError('talking to the card', thrown);
  }
}

/** A card that stays in one transaction until it is closed: no other program comes in between. */
export interface HeldCard {
  readonly exchange: Exchange;
  /** Ends the transaction, and whatever was proved in it. Safe to call more than once. */
  readonly close: () => void;
}

/** @throws AgentError as `withCard` */
export function holdCard(reader: string): HeldCard {
  const shims = nativeShims();
  try {
    const held = shims.pcscOpen(reader, WAIT_MS);
    const exchange = (apdu: Buffer): Buffer => {
      try {
        return shims.pcscTransmit(held, apdu);
      } catch (thrown) {
        throw pcscError('talking to the card', thrown);
      }
    };
    return {
      exchange,
      close: () => {
        shims.pcscClose(held, true);
      },
    };
  } catch (thrown) {
    throw pcscError('opening the card', thrown);
  }
}

/** Makes the card forget who is logged in. @throws AgentError as `withCard` */
export function resetCard(reader: string): void {
  const shims = nativeShims();
  try {
    shims.pcscClose(shims.pcscOpen(reader, WAIT_MS), true);
  } catch (thrown) {
    throw pcscError('resetting the card', thrown);
  }
}

function once<T>(reader: string, work: (card: PivCard) => T): T {
  const shims = nativeShims();
  const held = shims.pcscOpen(reader, WAIT_MS);
  try {
    return work(new PivCard((apdu) => shims.pcscTransmit(held, apdu)));
  } finally {
    shims.pcscClose(held, false);
  }
}
