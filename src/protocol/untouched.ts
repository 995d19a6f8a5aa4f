/** What a person types who wants a derivation key that works without a touch. */
export const UNTOUCHED_PHRASE = 'any program can derive';
