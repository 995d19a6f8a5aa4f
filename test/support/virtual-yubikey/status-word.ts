/** Status words of ISO 7816-4 as the PIV applet uses them, and the exception that ends a command with one. */

export const SW = {
  ok: 0x9000,
  wrongLength: 0x6700,
  chainingExpected: 0x6883,
  securityNotSatisfied: 0x6982,
  blocked: 0x6983,
  conditionsNotSatisfied: 0x6985,
  wrongData: 0x6a80,
  fileNotFound: 0x6a82,
  noSpace: 0x6a84,
  wrongParameters: 0x6a86,
  referenceNotFound: 0x6a88,
  wrongSlot: 0x6b00,
  unknownInstruction: 0x6d00,
  unknownClass: 0x6e00,
} as const;

/** Thrown anywhere inside the applet; the card answers with the word alone. */
export class StatusWordError extends Error {
  constructor(readonly statusWord: number) {
    super(`status word ${statusWord.toString(16)}`);
  }
}

/** 63Cx: a wrong reference value, with what is left of its counter; the word has room for 15. */
export function wrongReference(triesLeft: number): StatusWordError {
  return new StatusWordError(0x63c0 | Math.min(triesLeft, 15));
}
