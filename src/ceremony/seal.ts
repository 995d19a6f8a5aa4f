/** What holders who were present sign at the end: the transcript up to there. */
import { pae } from '../encoding/dsse-pae.js';
import { writeForm } from './one-form.js';

/** DSSE payload type of a seal. */
export const SEAL_TYPE = 'application/vnd.touchstone.ceremony-seal+json';

export interface SealFacts {
  readonly ceremony: string;
  readonly rehearsal: boolean;
  /** Number and hash of the line `closed`. */
  readonly seq: number;
  readonly hash: string;
}

/** Payload of a seal, in the one form. */
function sealPayload({ ceremony, rehearsal, seq, hash }: SealFacts): Buffer {
  return writeForm({ format: 'touchstone-ceremony-seal', version: 1, ceremony, rehearsal, seq, hash });
}

/** The exact bytes that a holder's key signs. */
export function sealMessage(facts: SealFacts): Buffer {
  return pae(SEAL_TYPE, sealPayload(facts));
}
