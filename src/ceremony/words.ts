/** A hash as people compare it: hex in groups of four on paper, words aloud. */
import { fromHex } from '../encoding/hex.js';
import { EVEN_WORDS, ODD_WORDS } from './pgp-words.js';

const GROUP = /.{1,4}/g;

/** `d76b 03f1 …`: lower-case hex in groups of four digits. */
export function hexGroups(hex: string): string {
  return (hex.match(GROUP) ?? []).join(' ');
}

/** One word for each byte; two lists in turn, so that a word left out or two changed over are heard. @throws AgentError `usage.invalid` */
export function pgpWords(hex: string): readonly string[] {
  return [...fromHex(hex, 'showing a hash')].map((byte, at) => {
    const words = at % 2 === 0 ? EVEN_WORDS : ODD_WORDS;
    return words[byte] ?? '';
  });
}

/** Both forms of a SHA-256 as lines for a screen or a sheet: two of hex, four of eight words. */
export function spokenHash(hex: string): readonly string[] {
  const words = pgpWords(hex);
  const rows = [0, 8, 16, 24].map((start) => words.slice(start, start + 8).join(' '));
  return [hexGroups(hex.slice(0, 32)), hexGroups(hex.slice(32)), ...rows].filter((line) => line !== '');
}
