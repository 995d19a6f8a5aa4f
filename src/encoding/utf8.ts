/** Text for people: what came from outside must not be able to move the cursor or reorder a line. */

const PLAIN_ASCII = /^[\x20-\x7e]*$/;
// Controls, format characters (bidi among them), line and paragraph separators, private use, unassigned and lone
// surrogates, and whatever renders as nothing.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}\p{Cs}\p{Default_Ignorable_Code_Point}]/gu;
const REPLACEMENT = '\ufffd';
const ELLIPSIS = '\u2026';

/**
 * Makes text safe to print on one line: every unsafe character becomes U+FFFD, and text of more than `maxCharacters`
 * code points is cut and ends with an ellipsis.
 */
export function printable(text: string, maxCharacters: number): string {
  if (text.length <= maxCharacters && PLAIN_ASCII.test(text)) return text;
  // Two UTF-16 units per code point at most, so nothing past this can be shown.
  const visible = Array.from(text.slice(0, 2 * maxCharacters + 2).replace(UNSAFE, REPLACEMENT));
  if (visible.length <= maxCharacters) return visible.join('');
  return visible.slice(0, Math.max(0, maxCharacters - 1)).join('') + (maxCharacters > 0 ? ELLIPSIS : '');
}
